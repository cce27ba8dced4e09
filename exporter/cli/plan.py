"""`mexport plan`."""

from pathlib import Path

from exporter.cli import options as o
from exporter.cli.command import Settings

NAME = "plan"
EXAMPLES = """
Examples:
mexport plan model.keras --target ncnn-arm64 --precision fp32
mexport plan model.keras --target tflite-arm64 --calibration train/
"""


def run(
    settings: Settings,
    *,
    model: o.Model,
    target: o.Targets,
    output: o.Output = Path("out"),
    precision: o.Precision = None,
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
    data: o.OptionalData = None,
    mean: o.Mean = None,
    std: o.Std = None,
    color: o.Color = None,
    resize: o.Resize = None,
    input_shape: o.InputShapes = None,
    inputs: o.Inputs = None,
    outputs: o.Outputs = None,
    signature: o.Signature = None,
    layout: o.Layout = None,
    recipe: o.Recipe = None,
    name: o.Name = None,
    trust: o.Trust = False,
    custom_objects: o.CustomObjects = None,
) -> None:
    """Show what `build` would do: passes, settings, files; nothing is written."""
    from exporter import pipeline
    from exporter.cli import parse
    from exporter.cli.text import plan_text
    from exporter.recipe import load_recipe

    facts = pipeline.plan(
        parse.existing(model, "model"), target, load_recipe(recipe) if recipe else None,
        output=output, precision=precision, io=io, calibration=calibration, accept_calibration=accept_calibration, calibrator=calibrator,
        repair=repair, keep_float=parse.names(keep_float), min_sqnr_db=min_sqnr_db, top1_drop=top1_drop, fastest=fastest, on=on, data=data,
        layout=layout, input_shapes=parse.shapes(input_shape), inputs=parse.names(inputs),
        outputs=parse.names(outputs), signature=signature, name=name, pixels=parse.pixels(mean, std, color, resize), trust=trust,
        custom_objects=custom_objects, seed=settings.seed, threads=settings.threads,
    )  # fmt: skip
    settings.emit(facts, plan_text(facts))
