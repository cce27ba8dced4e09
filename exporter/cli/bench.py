"""`mexport bench`."""

from pathlib import Path
from typing import Annotated

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings

NAME = "bench"
EXAMPLES = """
Examples:
mexport bench out/model--ncnn-arm64
mexport bench ours.tflite theirs.tflite --json
mexport bench out/model--ncnn-arm64 --on adb:R58M12ABCDE
"""

Files = Annotated[
    list[Path], typer.Argument(help="Bundles, folders of bundles, or bare .tflite, .onnx or .param files.", show_default=False)
]
Pairs = Annotated[int, typer.Option("--pairs", min=1, help="Interleaved pairs when files are compared.")]


def run(
    settings: Settings,
    *,
    files: Files,
    num_runs: o.NumRuns = 50,
    warmup_runs: o.WarmupRuns = 5,
    pairs: Pairs = 200,
    input_shape: o.InputShapes = None,
    on: o.On = "host",
) -> None:
    """Time files in their engines, here or on a phone; the first of several is compared with each of the others, turn by turn."""
    from exporter import trial
    from exporter.cli import parse
    from exporter.cli.text import bench_text

    facts = trial.bench_paths(
        [parse.existing(f, "bundle or file") for f in files], runs=num_runs, warmup=warmup_runs, pairs=pairs,
        input_shapes=parse.shapes(input_shape), threads=settings.threads, seed=settings.seed, on=on, console=settings.console(),
    )  # fmt: skip
    settings.emit(facts, bench_text(facts))
