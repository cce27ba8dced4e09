"""What a sweep says, in words and as a table."""

from collections.abc import Sequence

from exporter.sweeping.sweep import Sweep, measured_step

NAMED = 6
"""So many widths are named in a sentence."""

HELPS = 0.9
"""Where the narrowest width still takes this share of the time, narrower hardly helps."""


def sentences(sweep: Sweep) -> list[str]:
    """One layer: its time, its stairs, where narrower pays, and what to avoid."""
    whole = next(p for p in sweep.points if p.width == sweep.channels)
    narrowest = sweep.points[0]
    said = [f"{sweep.layer} ({sweep.op}): {sweep.channels} channels take {whole.ms:.3g} ms.", _stairs(sweep)]
    if narrowest.relative > HELPS:
        return [*said, f"Narrower hardly helps: {narrowest.width} channels still take {narrowest.relative:.2f}x of the time."]
    if sweep.worth:
        said.append(f"It pays at {_named([f'{p.width} ({p.relative:.2f}x)' for p in sweep.worth])}.")
    if sweep.wasted:
        worst = max(sweep.wasted, key=lambda p: p.relative)
        said.append(f"{_named([str(p.width) for p in sweep.wasted])} take longer than a wider one, {worst.width} {worst.relative:.2f}x.")
    return said


def _stairs(sweep: Sweep) -> str:
    if sweep.step == 1:
        return "No stairs beyond noise: every channel less counts alike."
    return f"Its time goes in steps of {sweep.step} channels: other widths cost at least as much as the next multiple of {sweep.step}."


def _named(words: Sequence[str]) -> str:
    """Some words, evenly over all of them."""
    if len(words) > NAMED:
        words = [words[round(i * (len(words) - 1) / (NAMED - 1))] for i in range(NAMED)]
    return ", ".join(words)


def conclusion(sweeps: Sequence[Sweep]) -> str:
    """The step to prune by, for all layers together."""
    step = measured_step(sweeps)
    if step == 1:
        return "No step is better than another here: any width will do."
    return (
        f"Prune to multiples of {step} for an engine on this host: --channel-step {step}, or channel_step in a target's file or a recipe."
    )


def table_rows(sweeps: Sequence[Sweep]) -> list[tuple[object, ...]]:
    """One row a layer: name, how many are like it, operator, width, milliseconds, the two nearest quicker widths, step."""
    rows: list[tuple[object, ...]] = []
    for s in sweeps:
        whole = next(p for p in s.points if p.width == s.channels)
        near = [f"{p.width} ({p.relative:.2f}x)" for p in s.worth[:2]]
        rows.append((s.layer, 1 + len(s.also), s.op, s.channels, f"{whole.ms:.3g}", ", ".join(near) or "-", s.step))
    return rows


HEAD = ("layer", "times", "op", "width", "ms", "nearest quicker widths", "step")
"""Of `table_rows`."""
