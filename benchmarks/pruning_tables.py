"""The tables of pruning and of compression for docs/benchmarks.md."""

import numpy as np

from benchmarks.markdown import table
from benchmarks.results import Row, Rows

EXACTNESS = """## Pruning: exactness

Half the MACs of twelve nets, batch norms live and folded, one share for all layers with a larger one for residual streams (inner)
or without (local), and one threshold (global): the pruned Graph against the whole one with zeros for the weights that read channels which
are gone, found by running marks through the Graph, on two samples. `rel` is the worst of the six; the check shares no code with the slicer.
Seconds to find what is tied together, and to cut.

"""
LATENCY = """## Pruning: latency

Half the MACs, widths on multiples of 8, in the engine named against the whole net: one thread, 200 interleaved pairs, ratio of medians with
its 95 % bootstrap interval. The host's other core was busy with a training for most of the time.

"""
BUDGET = """## Latency budgets

`--latency 0.5x`: the pruned net measured again afterwards with 200 fresh pairs. One thread is judged by processor time, which other work on
the host hardly disturbs; the clock's are of a quiet one, but for the flowers in onnxruntime. Within 5 %: of what was asked, by processor
time. The narrowest widths of the flowers in onnxruntime took 0.505 to 0.518 in five tries: they are taken, with a warning.

"""
COMPRESSION = """## Compression: right answers after training

Nets of the kit, pruned, repaired and trained on training pictures alone; test pictures counted once a run. The recipe of the flowers is
the fourth that was counted: with labels beside the teacher 120 (0.49 of the MACs) and 124 (0.56) were right, without them 129 (0.60).
Earlier recipes were counted once each as well: ResNet20 89.10 % (half an hour, mixtures of pictures, eight views of each); ResNet56 91.92 %
(53 minutes, likewise, with the weights that had the most right answers on held-out pictures); ResNet8 with equal shares of all widths and
four views 84.50 and 80.32 %, the same widths with fresh weights 77.82 and 77.62 %.
Minutes by the clock and of both processor cores together, and the share of latency that is left, on a host that did other work too.

"""


def exactness(rows: Rows) -> str:
    """One line a net."""
    nets: dict[str, list[Row]] = {}
    for key, row in rows.items():
        nets.setdefault(key.split()[0], []).append(row)
    lines = [[net, *(f"{max(r[k] for r in found):{form}}" for k, form in (("rel", ".1e"), ("group_s", ".2f"), ("slice_s", ".2f")))]
             for net, found in nets.items() if all("rel" in r for r in found)]  # fmt: skip
    return EXACTNESS + table(["net", "rel", "group s", "slice s"], lines)


def latency(rows: Rows) -> str:
    """Half the MACs, then budgets of time."""
    half = {key: row for key, row in rows.items() if "ratio" in row and "asked" not in row}
    lines = [[*_named(key), f"{r['macs']:.3f}", f"{r['whole_ms']:.2f}", f"{r['pruned_ms']:.2f}", f"{r['ratio']:.3f}",
              f"{r['low']:.3f}–{r['high']:.3f}"] for key, r in half.items()]  # fmt: skip
    by_engine: dict[str, list[float]] = {}
    for key, r in half.items():
        by_engine.setdefault(_named(key)[1], []).append(r["ratio"])
    means = "; ".join(f"{engine} {np.exp(np.mean(np.log(r))):.3f} (of {len(r)}, largest {max(r):.3f})" for engine, r in by_engine.items())
    said = LATENCY + table(["net", "engine", "MACs", "whole ms", "pruned ms", "ratio", "interval"], lines)
    asked = [_budget(key, r) for key, r in rows.items() if key.endswith(" of the time")]
    budgets = table(["net", "engine", "asked", "MACs", "processor time", "by the clock", "within 5 %"], asked)
    return f"{said}\nGeometric means: {means}.\n\n{BUDGET}{budgets}"


def _budget(key: str, row: Row) -> list[str]:
    net, _, asked = key.removesuffix(" of the time").partition(" at ")
    if "error" in row:
        return [*_named(net), asked, "", "", "", str(row["error"])]
    found = [f"{row[name]:.3f}" for name in ("macs", "cpu_ratio", "ratio")]
    return [*_named(net), asked, *found, "yes" if row["near"] else "**no**"]


def _named(key: str) -> list[str]:
    net, _, engine = key.partition(" ")
    return [net, engine or "onnxruntime"]


def compression(rows: Rows) -> str:
    """One line a run."""
    lines = [_run(key, row) for key, row in rows.items() if "right" in row]
    head = ["net, share, seed", "MACs", "params", "epochs", "minutes", "core minutes", "score", "latency", "right", "of", "%"]
    return COMPRESSION + table(head, lines)


def _run(key: str, row: Row) -> list[str]:
    right = [str(row["right"]), str(row["n"]), f"{100 * row['right'] / row['n']:.2f}"]
    if "epochs" not in row:
        return [key, *[""] * 7, *right]
    latency = ", ".join(f"{engine} {found[0]:.2f}" for engine, found in row.get("latency", {}).items())
    cores = "" if row.get("cpu_seconds") is None else f"{row['cpu_seconds'] / 60:.0f}"
    return [key, f"{row['macs']:.3f}", f"{row['params']:.3f}", str(row["epochs"]), f"{row['seconds'] / 60:.0f}", cores,
            row["score"], latency, *right]  # fmt: skip
