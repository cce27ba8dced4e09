"""Instruction counts as a picture (SVG) and as a trace that Chrome and Perfetto draw."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

Facts = Mapping[str, Any]

CLASSES = {"load_store": "#4269d0", "simd_fp": "#efb118", "alu": "#6cc5b0", "branch": "#ff725c", "other": "#9c9c9c"}
"""Class of instructions to its colour, in the order they stand in a bar."""

PARTS = {"tensor work": "#a463f2", "non-tensor work": "#97bbf5", "beside the layers": "#d0d0d0"}

ROW, NAME, BARS, NUMBERS, EDGE = 16, 320, 420, 150, 20
"""Pixels: height of a row, widths of the columns, margin."""

LONGEST = 52
"""Letters of a layer's name."""


def cost_svg(facts: Facts) -> str:
    """Layers in the order they run: bars as long as their instructions, split by class; names of tensor work in bold.

    Args:
        facts: A result of `mexport profile`.
    """
    width = 2 * EDGE + NAME + BARS + NUMBERS
    title = f"{facts['name']}: {facts['whole']['total']:,} instructions an inference, counted on {facts['core']} ({facts['engine']})"
    parts = [_text(EDGE, EDGE, title, 'font-weight="bold"'), *_split(facts, EDGE + ROW), *_legend(EDGE + 4 * ROW)]
    top = EDGE + 6 * ROW
    most = max((max(x["counts"]["total"], 0) for x in facts["layers"]), default=0) or 1
    for i, layer in enumerate(facts["layers"]):
        parts += _row(layer, top + i * ROW, most)
    body = "\n".join(parts)
    height = top + len(facts["layers"]) * ROW + EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _split(facts: Facts, y: float) -> list[str]:
    """One bar for the whole: tensor work, non-tensor work and the engine's own."""
    shares = [max(facts[key], 0.0) for key in ("tensor_share", "non_tensor_share", "beside_share")]
    x, unit, found = float(EDGE), (NAME + BARS) / (sum(shares) or 1.0), []
    for colour, share in zip(PARTS.values(), shares, strict=True):
        found.append(_box(x, y, share * unit, ROW, colour))
        x += share * unit
    words = ", ".join(f"{name} {100 * share:.1f} %" for name, share in zip(PARTS, shares, strict=True))
    return [*found, _text(EDGE, y + 2 * ROW - 2, words)]


def _legend(y: float) -> list[str]:
    found = []
    for i, (name, colour) in enumerate(CLASSES.items()):
        x = EDGE + NAME + 80 * i
        found += [_box(x, y, 10, 10, colour), _text(x + 14, y + 9, name.replace("_", "/"))]
    return found


def _row(layer: Facts, y: float, most: int) -> list[str]:
    label = f"{layer['name']} ({layer['kind']})"
    short = label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"
    parts = [_text(EDGE, y + ROW - 4, short, 'font-weight="bold"' if layer["tensor_work"] else "")]
    counts, x = layer["counts"], float(EDGE + NAME)
    classes = {n: max(counts[n], 0) for n in CLASSES}
    if not any(classes.values()):  # 32-bit: totals alone
        classes["other"] = max(counts["total"], 0)
    for name, count in classes.items():
        parts.append(_box(x, y + 2, count / most * BARS, ROW - 4, CLASSES[name]))
        x += count / most * BARS
    return [*parts, _text(x + 6, y + ROW - 4, f"{counts['total']:,}  {100 * layer['share']:.1f} %")]


def cost_trace(facts: Facts) -> dict[str, Any]:
    """Chrome's trace form: layers one after the other, a microsecond an instruction, since the form knows no other unit.

    Args:
        facts: A result of `mexport profile`.
    """
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": f"{facts['name']} on {facts['core']}, counted"}},
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "durations are instructions, not time"}},
    ]
    start = 0
    for layer in (*facts["layers"], _beside(facts)):
        length = max(layer["counts"]["total"], 0)
        events.append({"name": layer["name"], "cat": _part(layer), "ph": "X", "pid": 1, "tid": 1, "ts": start, "dur": length,
                       "args": {"kind": layer["kind"], "instructions": layer["counts"]}})  # fmt: skip
        start += length
    about = {"unit": "one microsecond stands for one instruction; this is no time", "kind": "counted"}
    about |= {key: str(facts[key]) for key in ("name", "on", "core", "engine", "version", "qemu", "method")}
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}


def _beside(facts: Facts) -> dict[str, Any]:
    return {"name": "beside the layers", "kind": "", "tensor_work": None, "counts": facts["beside"]}


def _part(layer: Facts) -> str:
    return {True: "tensor work", False: "non-tensor work", None: "beside the layers"}[layer["tensor_work"]]


def by_cost(layers: Sequence[Facts]) -> list[Facts]:
    """The costliest first."""
    return sorted(layers, key=lambda x: -x["counts"]["total"])


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {how}>{escape(text)}</text>'
