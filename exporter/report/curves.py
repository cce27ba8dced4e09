"""How trainings went, as a picture (SVG): loss, and right answers on held-out samples, over the minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

Facts = Mapping[str, Any]

WIDTH, HEIGHT, EDGE, GAP = 640, 200, 50, 46
"""Pixels: of one panel, the margin, and the space between panels."""

TRAIN, HELD, BEFORE = "#97bbf5", "#4269d0", "#ff725c"
"""Colours: on training samples, on held-out ones, and the model as it came."""

TICKS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a panel.

    Attributes:
        name: In the legend.
        colour: Of the line.
        points: (minutes, value), ascending.
    """

    name: str
    colour: str
    points: Sequence[tuple[float, float]]


def curves_svg(steps: Sequence[Facts], before: float | None = None) -> str:
    """The picture.

    Args:
        steps: As the manifest has them; those with a history of training are drawn one after the other.
        before: Share of right answers of the model as it came, drawn as a level.
    """
    epochs = _in_a_row(steps)
    loss = [Line("training", TRAIN, [(t, e["loss"]) for t, e in epochs if e["loss"] is not None]),
            Line("held out", HELD, [(t, e["held_loss"]) for t, e in epochs])]  # fmt: skip
    right = [Line("held out", HELD, [(t, 100 * e["held_accuracy"]) for t, e in epochs if e["held_accuracy"] is not None])]
    if before is not None and right[0].points:
        right.append(Line("as it came", BEFORE, [(epochs[0][0], 100 * before), (epochs[-1][0], 100 * before)]))
    panels = [("loss", loss), ("right answers, %", right)]
    shown = [(title, drawn) for title, lines in panels if (drawn := [line for line in lines if line.points])]
    body = "\n".join(_panel(title, lines, EDGE + i * (HEIGHT + GAP)) for i, (title, lines) in enumerate(shown))
    height = 2 * EDGE + len(shown) * (HEIGHT + GAP) - GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 2 * EDGE}" height="{height}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _in_a_row(steps: Sequence[Facts]) -> list[tuple[float, Facts]]:
    """Every look at the held-out samples with the minutes since the first training began."""
    found, start = [], 0.0
    for step in steps:
        history = step.get("history") or ()
        found += [((start + epoch["seconds"]) / 60, epoch) for epoch in history]
        start += history[-1]["seconds"] if history else 0.0
    return found


def _panel(title: str, lines: Sequence[Line], top: float) -> str:
    xs, ys = ([p[i] for line in lines for p in line.points] for i in (0, 1))
    low, high, last = min(ys), max(ys), max(xs) or 1.0
    span = (high - low) or 1.0

    def at(point: tuple[float, float]) -> str:
        return f"{EDGE + point[0] / last * WIDTH:.1f},{top + HEIGHT - (point[1] - low) / span * HEIGHT:.1f}"

    parts = [f'<rect x="{EDGE}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#d0d0d0"/>', _text(EDGE, top - 8, title)]
    for i in range(TICKS + 1):
        share = i / TICKS
        parts.append(_text(EDGE - 6, top + HEIGHT * (1 - share) + 4, f"{low + share * span:.3g}", 'text-anchor="end"'))
        parts.append(_text(EDGE + share * WIDTH, top + HEIGHT + 16, f"{share * last:.3g} min", 'text-anchor="middle"'))
    for i, line in enumerate(lines):
        way = " ".join(map(at, line.points))
        parts.append(f'<polyline points="{way}" fill="none" stroke="{line.colour}" stroke-width="1.5"/>')
        parts.append(_text(EDGE + WIDTH - 4, top + 14 + 14 * i, line.name, f'text-anchor="end" fill="{line.colour}"'))
    return "\n".join(parts)


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {how}>{escape(text)}</text>'
