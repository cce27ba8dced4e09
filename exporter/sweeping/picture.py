"""Widths and their times as a picture (SVG): one panel a layer, plateaus as lines, every time with its interval."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from exporter.sweeping.sweep import Sweep

WIDE, HIGH, EDGE, ACROSS = 360, 200, 46, 2
"""Pixels: a panel's axes, the margin around them; panels side by side."""

PLAIN, GOOD, BAD = "#4269d0", "#3ca951", "#ff725c"
"""A width; one worth pruning to; one slower than a wider one."""

Place = tuple[float, float]


def sweep_svg(sweeps: Sequence[Sweep]) -> str:
    """The picture; time is of the whole width's."""
    across = min(ACROSS, len(sweeps))
    width, height = across * (WIDE + 2 * EDGE), -(-len(sweeps) // ACROSS) * (HIGH + 2 * EDGE)
    panels = [p for i, s in enumerate(sweeps) for p in _panel(s, i % ACROSS * (WIDE + 2 * EDGE), i // ACROSS * (HIGH + 2 * EDGE))]
    body = "\n".join(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _panel(sweep: Sweep, x: float, y: float) -> list[str]:
    """One layer's axes and points, its corner at (x, y)."""
    points = sweep.points
    first, last = points[0].width, points[-1].width
    top = max(1.05, 1.05 * max(p.relative for p in points))

    def at(width: float, relative: float) -> Place:
        return x + EDGE + WIDE * (width - first) / max(last - first, 1), y + EDGE + HIGH * (1 - min(relative, top) / top)

    title = f"{sweep.layer} ({sweep.op} {'x'.join(map(str, sweep.shape_in))}), {sweep.engine}, step {sweep.step}"
    parts = [_text(x + EDGE, y + EDGE - 22, title if len(title) <= 60 else f"…{title[-59:]}", "font-weight='bold'")]
    key = f"1 = time of {sweep.channels} channels; green pays, red: slower than a wider one"
    parts.append(_text(x + EDGE, y + EDGE - 8, key))
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        left, line = at(first, level), at(last, level)
        parts += [_line(left, line, "#e0e0e0"), _text(left[0] - 26, left[1] + 4, f"{level:g}")]
    for mark in _marks(first, last, sweep.step):
        foot = at(mark, 0)
        parts += [_line(foot, (foot[0], foot[1] + 4), "#808080"), _text(foot[0] - 7, foot[1] + 16, str(mark))]
    parts += [_line(at(p.first, p.relative), at(p.last, p.relative), "#b0b0b0", 3) for p in sweep.plateaus]
    good, bad = ({p.width for p in found} for found in (sweep.worth, sweep.wasted))
    for p in points:
        colour = GOOD if p.width in good else BAD if p.width in bad else PLAIN
        centre = at(p.width, p.relative)
        parts.append(_line(at(p.width, p.low), at(p.width, p.high), colour))
        parts.append(f'<circle cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="3" fill="{colour}"/>')
    return parts


def _marks(first: int, last: int, step: int) -> list[int]:
    """Some eight round widths, multiples of the step."""
    unit = max(step, 1)
    while (last - first) / unit > 8:
        unit *= 2
    return list(range(-(-first // unit) * unit, last + 1, unit)) or [last]


def _line(a: Place, b: Place, colour: str, width: float = 1) -> str:
    return f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" stroke="{colour}" stroke-width="{width:g}"/>'


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {how}>{escape(text)}</text>'
