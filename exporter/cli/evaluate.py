"""`mexport eval`."""

from pathlib import Path
from typing import Annotated

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings

NAME = "eval"
EXAMPLES = """
Examples:
mexport eval out/model--ncnn-arm64 --data test/
mexport eval out/ --data test/ --on docker:arm64 --cpu cortex-a76
mexport eval model.keras --data test/ --mean 127.5 --std 127.5
"""

What = Annotated[Path, typer.Argument(help="A bundle, a folder of bundles, a source model, or a bare .tflite, .onnx or .param.",
                                      show_default=False)]  # fmt: skip
Output = Annotated[str | None, typer.Option("--scores", help="The output that holds the scores, of several.", show_default=False)]


def run(
    settings: Settings,
    *,
    what: What,
    data: o.Data,
    labels: o.Labels = None,
    mean: o.Mean = None,
    std: o.Std = None,
    color: o.Color = None,
    resize: o.Resize = None,
    input_shape: o.InputShapes = None,
    signature: o.Signature = None,
    scores: Output = None,
    trust: o.Trust = False,
    custom_objects: o.CustomObjects = None,
    on: o.On = "host",
    cpu: o.Cpu = None,
) -> None:
    """Count how many labelled pictures a bundle, or the source model, gets right."""
    from exporter import trial
    from exporter.cli import parse
    from exporter.cli.text import accuracy_text

    results = trial.evaluate_paths(
        parse.existing(what, "bundle or model"), data, labels=labels, pixels=parse.pixels(mean, std, color, resize), scores=scores,
        input_shapes=parse.shapes(input_shape), signature=signature, trust=trust, custom_objects=custom_objects, threads=settings.threads,
        on=on, cpu=parse.names(cpu), console=settings.console(),
    )  # fmt: skip
    settings.emit({"results": results}, accuracy_text(results))
