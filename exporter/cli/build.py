"""`mexport build`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings
from exporter.cli.flags import BuildFlags, CompressionFlags, SourceFlags
from exporter.interrupt import uninterrupted

if TYPE_CHECKING:
    from exporter.building.deliver import Outcome

NAME = "build"
EXAMPLES = """
Examples:
mexport build model.keras --target ncnn-arm64
mexport build model.h5 -t ncnn-arm64 -t tflite-arm64 -o out --mean 127.5 --std 127.5
mexport build net.onnx -t onnx-arm64 --input-shape 1,3,224,224 --samples pictures/
mexport build model.keras -t tflite-arm64 -t ncnn-arm64 --precision int8 --calibration train/
mexport build model.keras -t tflite-arm64 --precision mixed --calibration train/ --data test/ --top1-drop 0.01
mexport build model.keras -t tflite-arm64 --calibration train/ --io uint8 --repair thorough
mexport build model.keras -t tflite-arm64 --macs 0.5 --train train/ --minutes 30 --calibration train/
"""


def run(
    settings: Settings,
    *,
    target: o.Targets,
    flags: BuildFlags,
    origin: SourceFlags,
    compression: CompressionFlags,
    model: o.OptionalModel = None,
    samples: o.Samples = None,
    labels: o.Labels = None,
    force: o.Force = False,
) -> None:
    """Turn a trained model into a bundle for each target, proved equal to the source by running it."""
    with uninterrupted():
        from exporter.building.ahead import open_ahead
        from exporter.building.options import BuildOptions
        from exporter.cli import parse

    command = shlex.join(["mexport", *sys.argv[1:]])
    given = {
        **flags.given(settings),
        **origin.given(),
        **compression.given(),
        "samples": samples,
        "labels": labels,
        "force": force,
        "command": command,
    }
    if model is None:
        model, given = sample(given, settings)
    with open_ahead(parse.existing(model, "model"), BuildOptions.of(given).load_options()) as source:
        with uninterrupted():
            from exporter import pipeline

        done = pipeline.build_all(source, target, compression.as_recipe(), console=settings.console(), **given)
    settings.emit({"outcomes": [d.as_dict() for d in done]}, "\n".join(filter(None, map(line, done))))
    first = next((d.error for d in done if d.error is not None), None)
    for d in done:
        if d.error is not None and d.error is not first:
            said = d.error.message.removeprefix(f"{d.target}: ")
            typer.echo(f"error: {d.target}: {said}", err=True)
    if first is not None:
        raise first


def sample(given: dict[str, Any], settings: Settings) -> tuple[Path, dict[str, Any]]:
    """The embedded net, with what is known about it."""
    from exporter.sample import labels_path, model_path, pictures_path

    settings.remark("no MODEL given: building the embedded sample, a small net for Fashion-MNIST")
    known = {"samples": given["samples"] or str(pictures_path()), "labels": given["labels"] or labels_path()}
    return model_path(), {**given, **known}


def line(outcome: Outcome) -> str | None:
    """One line on standard output for each bundle."""
    if outcome.path is None:
        return None
    if outcome.up_to_date:
        return f"{outcome.path}  up to date, nothing done"
    return f"{outcome.path}  {outcome.summary()}"
