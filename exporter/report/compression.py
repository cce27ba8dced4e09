"""What compression gave, step by step, against the model as it came."""

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.report.markdown import count, size, table

Facts = Mapping[str, Any]

COSTS = {"params": "parameters", "macs": "MACs", "memory_access": "memory access, elements", "bytes": "bytes"}


def compression(m: Facts) -> str:
    """The section; empty where nothing was compressed."""
    facts = m.get("compression")
    if facts is None:
        return ""
    rows = facts["table"]
    engines = list(dict.fromkeys(engine for row in rows for engine in row["latency"]))
    head = ("step", *COSTS.values(), "bytes a parameter", "top-1", *(f"{engine}, native" for engine in engines))
    body = [
        (row["step"], *(f"{_count(row, name)} ({row['ratio'][name]:.2f}x)" for name in COSTS),
         f"{row['bytes'] / max(row['params'], 1):.2f}", _right(row["top1"]), *(_time(row["latency"].get(engine)) for engine in engines))
        for row in rows
    ]  # fmt: skip
    return f"## Compression\n\n{_words(facts, rows)}\n\n{table(head, body, range(1, len(head)))}{_curves(m)}"


def _count(row: Facts, name: str) -> str:
    return size(row[name]) if name == "bytes" else count(row[name])


def _right(found: Facts | None) -> str:
    return "" if found is None else f"{found['value']:.2%} ({found['right']} of {found['n']})"


def _time(found: Facts | None) -> str:
    if found is None:
        return ""
    if "refused" in found:
        return str(found["refused"])
    return f"{found['ms']:.3g} ms, {found['ratio']:.2f}x ({found['low']:.2f} to {found['high']:.2f})"


def _words(facts: Facts, rows: Sequence[Facts]) -> str:
    said = ["Each step against the model as it came: float32 weights, one thread, medians of runs taken turn by turn; ratios of processor "
            "time with a 95 % interval."]  # fmt: skip
    if facts["training"] is not None:
        said.append(f"Repaired and trained on {facts['training']['samples']} samples.")
    if any(row["top1"] for row in rows):
        said.append(f"Right answers counted on: {facts['counted_on']}.")
    return " ".join(said)


def _curves(m: Facts) -> str:
    drawn = any(f["path"] == "training.svg" for f in m["files"])
    return "\n\n![loss and right answers over the minutes of training](training.svg)" if drawn else ""
