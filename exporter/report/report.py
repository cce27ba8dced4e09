"""report.md: how good, how small and how fast a built model is, every number from the manifest and with its kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.parity import decibels
from exporter.report.arm import arm
from exporter.report.compression import compression
from exporter.report.markdown import count, numbers, size, table
from exporter.report.rounding import calibration, quantization

Facts = Mapping[str, Any]

KINDS = {
    "measured": "measured on a device",
    "native": "native on this host",
    "counted": "counted under emulation",
    "predicted": "predicted",
}
"""Kind of a number to the words over its column; kinds never share one."""

AWAY = ("docker:", "adb:")
"""Places that are not this host."""


def render(manifest: Facts) -> str:
    """The whole report as Markdown."""
    parts = (
        _summary,
        _warnings,
        _source,
        _proof,
        arm,
        _sizes,
        compression,
        _steps,
        calibration,
        quantization,
        _preprocessing,
        _build,
        _latency,
        _tools,
    )
    return "\n\n".join(text for part in parts if (text := part(manifest))) + "\n"


def _summary(m: Facts) -> str:
    target = m["target"]
    worst = {name: _worst(m[name]) for name in ("parity", "fidelity")}
    rows = [
        ("target", f"{target['name']}: {target.get('summary') or target['format']}"),
        ("precision", m["precision"]),
        ("files", ", ".join(m["artifact"]["files"])),
        ("size", size(_file_bytes(m))),
        *((name, said) for name, said in worst.items()),
    ]
    return f"# {m['name']} for {target['name']}\n\n{table(('', ''), rows)}"


def _worst(comparisons: Facts | None) -> str:
    if not comparisons:
        return "not compared"
    rel, db = max(c["rel"] for c in comparisons.values()), min(c["sqnr_db"] for c in comparisons.values())
    agreement = [c["top1_agreement"] for c in comparisons.values() if c["top1_agreement"] is not None]
    same = f", same top-1 on {min(agreement):.1%} of samples" if agreement else ""
    return f"rel {rel:.1e}, SQNR {decibels(db)}{same}"


def _warnings(m: Facts) -> str:
    assumed = [name for name, prep in m["preprocessing"].items() if prep["assumed"]]
    said = [f"preprocessing of input `{name}` is assumed: mean 0, std 1 may be wrong; give --mean and --std" for name in assumed]
    if not m["samples"]["input_range_known"]:
        said.append("input range unknown: parity and fidelity were taken on normal noise, not on what the model expects")
    if not m.get("arm") and not any(str(n["on"] or "").startswith(AWAY) for n in m["numbers"]):
        said.append("not run on ARM: every number here is from this host")
    said += m.get("notes", [])
    return "\n".join(f"> **Note:** {text}  " for text in said)


def _source(m: Facts) -> str:
    s = m["source"]
    rows = [("file", s["path"]), ("sha256", f"`{s['sha256']}`"), ("format", s["format"]), ("read by", f"{s['framework']} {s['version']}")]
    return f"## Source\n\n{table(('', ''), rows)}\n\n{_ports(m)}"


def _ports(m: Facts) -> str:
    rows = [(end, p["source_name"], p["name"], "x".join(map(str, p["shape"])), p["layout"], p["dtype"], _scale(p))
            for end in ("inputs", "outputs") for p in m[end]]  # fmt: skip
    return table(("", "in the source", "in the file", "shape", "layout", "type", "quantization"), rows)


def _scale(port: Facts) -> str:
    return "" if port["scale"] is None else f"{port['scale']:.6g} · (q − {port['zero_point']})"


def _proof(m: Facts) -> str:
    n, origin = m["samples"]["n"], m["samples"]["from"]
    head = ("output", "max abs", "rel", "SQNR", "cosine", "same top-1", "samples")
    parts = [f"## Proof\n\n{n} samples, {origin}."]
    for name, against in (
        ("parity", "the file against the graph it was written from"),
        ("fidelity", "the file against the source's outputs"),
    ):
        rows = [row for output, c in (m[name] or {}).items() for row in _comparison(output, c)]
        parts.append(
            f"**{name.capitalize()}**: {against}.\n\n{table(head, rows, range(1, 7))}" if rows else f"**{name.capitalize()}**: not taken."
        )
    limits = ", ".join(f"{k} {v:g}" for k, v in m.get("limits", {}).items() if v is not None)
    return "\n\n".join([*parts, f"Limits held: {limits}."] if limits else parts)


def _comparison(output: str, c: Facts) -> list[Sequence[object]]:
    top1 = "" if c["top1_agreement"] is None else f"{c['top1_agreement']:.1%}"
    row = (output, f"{c['max_abs']:.2e}", f"{c['rel']:.2e}", decibels(c["sqnr_db"]), f"{c['cosine']:.7f}", top1, c["n"])
    before = c.get("before_activation")
    return [row, *_comparison(f"{output}, before its final activation", before)] if before else [row]


def _file_bytes(m: Facts) -> int:
    model = set(m["artifact"]["files"])
    return sum(f["bytes"] for f in m["files"] if f["path"] in model)


def _sizes(m: Facts) -> str:
    known = {n["name"]: n for n in m["numbers"]}
    rows: list[Sequence[object]] = [(f["path"], size(f["bytes"]), f"`{f['sha256'][:16]}…`") for f in m["files"]]
    facts = [(label, count(known[name]["value"])) for name, label in COSTS.items() if name in known]
    if "params" in known and known["params"]["value"]:
        facts.append(("bytes a parameter", f"{_file_bytes(m) / known['params']['value']:.2f}"))
    costs = f"\n\n{table(('', ''), facts, (1,))}" if facts else ""
    return f"## Size and cost\n\n{table(('file', 'size', 'sha256'), rows, (1,))}{costs}"


COSTS = {
    "params": "parameters",
    "macs": "multiply-accumulates (MACs)",
    "flops": "FLOPs (2 · MACs)",
    "memory_access": "memory access cost, elements",
}


def _steps(m: Facts) -> str:
    if not m["steps"]:
        return ""
    rows = [
        (s["pass"], *(f"{count(s['before'][k])} → {count(s['after'][k])}" for k in ("params", "macs", "bytes")), f"{s['seconds']:.2f}",
         _settings(s["settings"]))
        for s in m["steps"]
    ]  # fmt: skip
    return f"## Steps\n\n{table(('pass', 'parameters', 'MACs', 'bytes', 's', 'settings'), rows, range(1, 5))}"


def _settings(settings: Facts) -> str:
    """Settings in words; a table inside is spelt out, what is empty left away."""
    said = {k: v for k, v in settings.items() if v is not None and v != []}
    words = [", ".join(f"{n} {k}" for k, n in v.items()) if isinstance(v, Mapping) else f"{k} = {v}" for k, v in said.items()]
    return ", ".join(filter(None, words))


def _preprocessing(m: Facts) -> str:
    rows = [(name, p["color"], p["resize"], numbers(p["mean"]), numbers(p["std"]), "**assumed**" if p["assumed"] else "known")
            for name, p in m["preprocessing"].items()]  # fmt: skip
    head = ("input", "color", "resize", "mean", "std", "")
    return f"## Preprocessing\n\ny = (x − mean) / std, x the pixel in 0..255.\n\n{table(head, rows)}" if rows else ""


def _build(m: Facts) -> str:
    rows = [(n["name"].removeprefix("seconds_").replace("_", " "), f"{n['value']:.2f} s") for n in m["numbers"] if n["unit"] == "s"]
    rows += [(n["name"].replace("_", " "), size(n["value"])) for n in m["numbers"] if n["name"].startswith("peak_rss")]
    return f"## Time and memory of the build\n\n{table(('stage', ''), rows, (1,))}" if rows else ""


def _latency(m: Facts) -> str:
    found = [n for n in m["numbers"] if n["unit"] in ("ms", "fps", "instructions")]
    if not found:
        return "## Latency\n\nNot taken; `mexport bench` does on this host."
    kinds = [kind for kind in KINDS if any(n["kind"] == kind for n in found)]
    rows = [
        (f"{n['name']}, {n['statistic'] or ''}".rstrip(", "), n["engine"] or "", n["on"] or "", n["n"] or "",
         *(f"{n['value']:.4g} {n['unit']}" if n["kind"] == kind else "" for kind in kinds))
        for n in found
    ]  # fmt: skip
    return f"## Latency\n\n{table(('', 'engine', 'on', 'n', *(KINDS[k] for k in kinds)), rows, range(3, 4 + len(kinds)))}"


def _tools(m: Facts) -> str:
    options = ", ".join(f"{k} = {v}" for k, v in m["runtime_options"].items()) or "the engine's own defaults"
    versions = ", ".join(f"{name} {version}" for name, version in m["tools"].items())
    command = f"\n\nCommand: `{m['command']}`" if m["command"] else ""
    return f"## How it was made\n\nEngine options: {options}.\n\nTools: {versions}.\n\nSeed: {m['seed']}.{command}"
