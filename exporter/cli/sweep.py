"""`mexport sweep`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings
from exporter.cli.flags import LoadFlags

NAME = "sweep"
EXAMPLES = """
Examples:
mexport sweep model.keras --target tflite-arm64 --all
mexport sweep net.onnx -t onnx-arm64 --layer conv2 -o stairs
mexport sweep net.onnx -t ncnn-arm64 --layer conv2 --widths 16,24,32,33
"""

Target = Annotated[
    str, typer.Option("--target", "-t", help="Whose engine: a target's name or TOML file.", autocompletion=o.complete_targets)
]
Layer = Annotated[str | None, typer.Option("--layer", help="One layer, as `mexport inspect` lists it.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="Every distinct layer, with fewer widths each.")]
Widths = Annotated[
    str | None,
    typer.Option("--widths", help="Widths to try: 16,24,32; default: from a quarter of the channels up to all.", show_default=False),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for sweep.json, sweep.csv and sweep.svg.")]
Force = Annotated[bool, typer.Option("--force", help="Replace another sweep's files.")]


def run(
    settings: Settings,
    *,
    model: o.Model,
    load: LoadFlags,
    target: Target = "onnx-arm64",
    layer: Layer = None,
    every: All = False,
    widths: Widths = None,
    num_runs: o.NumRuns = 50,
    output: Output = Path("out/sweep"),
    on: o.On = "host",
    force: Force = False,
) -> None:
    """Why is it no quicker with fewer channels? A layer's width against its time in a target's engine, natively on this host.

    Each layer is written alone, with its activation, at many widths, and timed turn by turn: the step of the stairs, widths that cost
    the same, widths that cost more than wider ones, and where narrower pays.
    """
    from exporter.cli import parse
    from exporter.errors import UsageError
    from exporter.inspection.sweep import sweep_model
    from exporter.sources.open import LoadOptions

    if every == (layer is not None):
        raise UsageError("one of --layer NAME and --all is needed", hint="`mexport inspect MODEL` lists the layers")
    done = sweep_model(
        parse.existing(model, "model"), LoadOptions(**load.reading()), target, output,
        layer=layer, widths=parse.counts(widths, "--widths"), runs=num_runs,
        threads=settings.threads, seed=settings.seed, on=on, force=force, console=settings.console(),
    )  # fmt: skip
    settings.emit({**done.facts, "files": dict(done.files)}, _text(done))


def _text(done: Any) -> str:
    from exporter.cli.text import facts_text, table
    from exporter.sweeping.words import HEAD, table_rows

    f = done.facts
    lines = [f"{f['engine']}, {f['threads']} thread(s), native on {f['host']}, not on {f['abi']}; {f['runs']} runs"]
    if f["asked"] is None:
        lines += [table(HEAD, table_rows(done.sweeps)), f["conclusion"]]
    else:
        rows = [(p.width, f"{p.relative:.3f}", f"{p.low:.3f}", f"{p.high:.3f}", f"{p.ms:.4g}") for p in done.sweeps[0].points]
        lines += [table(("width", "time", "low", "high", "ms"), rows), *f["layers"][0]["words"], f["conclusion"]]
    return "\n".join([*lines, facts_text(done.files)])
