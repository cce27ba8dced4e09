"""Layers of rounded files as a picture (SVG): bars of signal over noise, and the range used over the range seen."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from exporter.parity import JSON_INFINITY

Facts = Mapping[str, Any]

ROW, NAME, BARS, SPANS, EDGE = 14, 230, 300, 300, 20
"""Pixels: height of a bar, widths of the three columns, margin."""

MOST_DB = 60.0
"""A bar as long as its column."""

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#a463f2", "#97bbf5")
"""One a bundle, in their order; they begin again beyond six."""


def layers_svg(view: Sequence[Facts]) -> str:
    """The picture.

    Args:
        view: As `verify --layers` gives it: layer, op, value, and by bundle sqnr_db and range.
    """
    names = list(dict.fromkeys(name for row in view for name in row["bundles"]))
    heads = [_text(EDGE + 170 * i + 14, EDGE, name, f'fill="{_colour(i)}" font-weight="bold"') for i, name in enumerate(names)]
    top = EDGE + 2 * ROW
    titles = [
        _text(EDGE + NAME, top, f"signal over noise against float, dB (full width {MOST_DB:g})"),
        _text(EDGE + NAME + BARS + EDGE, top, "range seen (grey) and range used"),
    ]
    rows, y = [], top + ROW / 2
    for row in view:
        rows += _row(row, names, y)
        y += ROW * len(names) + 6
    width = 2 * EDGE + NAME + BARS + EDGE + SPANS
    body = "\n".join([*heads, *titles, *rows])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + EDGE:g}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _row(row: Facts, names: Sequence[str], y: float) -> list[str]:
    label = f"{row['value']} ({row['op']})"
    parts = [_text(EDGE, y + ROW - 3, label if len(label) <= 38 else f"…{label[-37:]}")]
    ends = [x for entry in row["bundles"].values() if entry["range"] for x in (*(entry["range"]["seen"] or ()), *entry["range"]["used"])]
    for i, name in enumerate(names):
        entry = row["bundles"].get(name)
        if entry is not None:
            parts += _bar(entry["sqnr_db"], y + i * ROW, _colour(i))
            parts += _span(entry["range"], ends, y + i * ROW, _colour(i)) if entry["range"] else []
    return parts


def _bar(db: float, y: float, colour: str) -> list[str]:
    length = BARS * min(max(db, 0.0), MOST_DB) / MOST_DB
    x = EDGE + NAME
    said = "exact" if db >= JSON_INFINITY["sqnr_db"] else f"{db:.1f}"
    inside = _text(x + max(min(length, BARS - 30), 0) + 3, y + ROW - 4, said)
    return [_box(x, y + 1, length, ROW - 3, colour), inside]


def _span(span: Facts, ends: Sequence[float], y: float, colour: str) -> list[str]:
    """Seen as a thick grey line, used as a thin coloured one over it; all bundles' on one scale."""
    low, high = min(*ends, 0.0), max(*ends, 0.0)
    unit = SPANS / ((high - low) or 1.0)
    start = EDGE + NAME + BARS + EDGE

    def line(ends: Sequence[float], height: float, fill: str) -> str:
        return _box(start + (ends[0] - low) * unit, y + (ROW - height) / 2, (ends[1] - ends[0]) * unit, height, fill)

    seen = [line(span["seen"], ROW - 4, "#d0d0d0")] if span["seen"] is not None else []
    return [*seen, line(span["used"], 4, colour)]


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {how}>{escape(text)}</text>'


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]
