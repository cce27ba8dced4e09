"""`mexport build`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from exporter.cli import options as o
from exporter.cli.command import Settings

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
"""


def run(
    settings: Settings,
    *,
    target: o.Targets,
    model: o.OptionalModel = None,
    output: o.Output = Path("out"),
    precision: o.Precision = None,
    samples: o.Samples = None,
    data: o.OptionalData = None,
    mean: o.Mean = None,
    std: o.Std = None,
    color: o.Color = None,
    resize: o.Resize = None,
    labels: o.Labels = None,
    input_shape: o.InputShapes = None,
    inputs: o.Inputs = None,
    outputs: o.Outputs = None,
    signature: o.Signature = None,
    layout: o.Layout = None,
    io: o.Io = None,
    calibration: o.Calibration = None,
    accept_calibration: o.AcceptCalibration = False,
    calibrator: o.Calibrator = "auto",
    repair: o.Repair = "default",
    keep_float: o.KeepFloat = None,
    min_sqnr_db: o.MinSqnrDb = None,
    top1_drop: o.Top1Drop = None,
    fastest: o.Fastest = False,
    on: o.On = "host",
    recipe: o.Recipe = None,
    name: o.Name = None,
    force: o.Force = False,
    trust: o.Trust = False,
    custom_objects: o.CustomObjects = None,
) -> None:
    """Turn a trained model into a bundle for each target, proved equal to the source by running it."""
    from exporter import pipeline
    from exporter.cli import parse
    from exporter.recipe import load_recipe

    given: dict[str, Any] = {
        "precision": precision, "io": io, "layout": layout, "input_shapes": parse.shapes(input_shape), "inputs": parse.names(inputs),
        "outputs": parse.names(outputs), "signature": signature, "name": name, "samples": samples, "data": data,
        "pixels": parse.pixels(mean, std, color, resize), "labels": labels, "trust": trust, "custom_objects": custom_objects,
        "calibration": calibration, "accept_calibration": accept_calibration, "calibrator": calibrator, "repair": repair,
        "keep_float": parse.names(keep_float), "min_sqnr_db": min_sqnr_db, "top1_drop": top1_drop, "fastest": fastest, "on": on,
        "seed": settings.seed, "threads": settings.threads, "output": output, "force": force,
        "command": shlex.join(["mexport", *sys.argv[1:]]),
    }  # fmt: skip
    if model is None:
        model, given = sample(given, settings)
    done = pipeline.build_all(
        parse.existing(model, "model"), target, load_recipe(recipe) if recipe else None, console=settings.console(), **given
    )
    settings.emit({"outcomes": [d.as_dict() for d in done]}, "\n".join(filter(None, map(line, done))))
    first = next((d.error for d in done if d.error is not None), None)
    for d in done:
        if d.error is not None and d.error is not first:
            typer.echo(f"error: {d.target}: {d.error.message}", err=True)
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
