"""`mexport verify`."""

from pathlib import Path
from typing import Annotated

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings

NAME = "verify"
EXAMPLES = """
Examples:
mexport verify out/
mexport verify out/model--ncnn-arm64 --layers
mexport verify out/ --layers --picture layers.svg
mexport verify out/ --on docker:arm64 --cpu cortex-a53,cortex-a76
mexport verify theirs.tflite --against model.onnx --samples pictures/
"""

Bundle = Annotated[Path, typer.Argument(help="A bundle, a folder of bundles, or with --against a bare .tflite, .onnx or .param.",
                                        show_default=False)]  # fmt: skip
Layers = Annotated[bool, typer.Option("--layers", help="Compare every layer's values with the graph's.")]
Picture = Annotated[
    Path | None, typer.Option("--picture", help="With --layers of int8 files: draw the layers, FILE.svg.", show_default=False)
]
Against = Annotated[Path | None, typer.Option("--against", help="Model to hold a file against.", show_default=False)]
Repair = Annotated[
    bool, typer.Option("--repair", help="Write an ncnn file again whose layers leave half precision's range on ARM: those in float32.")
]
Source = Annotated[Path | None, typer.Option("--source", help="The source model, when it has moved.", show_default=False)]


def run(
    settings: Settings,
    *,
    bundle: Bundle,
    layers: Layers = False,
    picture: Picture = None,
    against: Against = None,
    source: Source = None,
    samples: o.Samples = None,
    mean: o.Mean = None,
    std: o.Std = None,
    color: o.Color = None,
    resize: o.Resize = None,
    trust: o.Trust = False,
    on: o.On = "host",
    cpu: o.Cpu = None,
    repair: Repair = False,
) -> None:
    """Run a bundle's files again and hold them against the graph and the source's own outputs."""
    from exporter.cli import parse
    from exporter.cli.picture import check_picture, draw
    from exporter.cli.text import verify_text
    from exporter.verification.verify import verify

    check_picture(picture, layers)
    facts = verify(
        parse.existing(bundle, "bundle"), layers=layers, against=against, source=source, samples=samples, on=on, trust=trust,
        cpu=parse.names(cpu), repair=repair, console=settings.console(),
        pixels=parse.pixels(mean, std, color, resize), seed=settings.seed, threads=settings.threads,
    )  # fmt: skip
    settings.emit(facts.as_dict(), verify_text(facts.as_dict()))
    draw(picture, facts.view)
    if facts.error is not None:
        raise facts.error
