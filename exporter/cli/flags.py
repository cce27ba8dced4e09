"""The flags that say what is to be built: those of `build`, which `plan` takes too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.cli import options as o
from exporter.cli.command import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFlags:
    """As typed; each field is an option of the command line."""

    output: o.Output = Path("out")
    precision: o.Precision = None
    data: o.OptionalData = None
    mean: o.Mean = None
    std: o.Std = None
    color: o.Color = None
    resize: o.Resize = None
    input_shape: o.InputShapes = None
    inputs: o.Inputs = None
    outputs: o.Outputs = None
    signature: o.Signature = None
    layout: o.Layout = None
    io: o.Io = None
    calibration: o.Calibration = None
    accept_calibration: o.AcceptCalibration = False
    calibrator: o.Calibrator = "auto"
    repair: o.Repair = "default"
    keep_float: o.KeepFloat = None
    min_sqnr_db: o.MinSqnrDb = None
    top1_drop: o.Top1Drop = None
    train: o.Train = None
    teacher: o.Teacher = None
    qat: o.Qat = None
    fastest: o.Fastest = False
    on: o.On = "host"
    recipe: o.Recipe = None
    name: o.Name = None
    trust: o.Trust = False
    custom_objects: o.CustomObjects = None

    def given(self, settings: Settings) -> dict[str, Any]:
        """As fields of `BuildOptions`.

        Raises:
            UsageError: For a flag that cannot be read; names it.
        """
        from exporter.cli import parse

        plain = ("output", "precision", "data", "signature", "layout", "io", "calibration", "accept_calibration", "calibrator", "repair",
                 "min_sqnr_db", "top1_drop", "train", "teacher", "qat", "fastest", "on", "name", "trust", "custom_objects")  # fmt: skip
        return {
            **{field: getattr(self, field) for field in plain},
            "input_shapes": parse.shapes(self.input_shape), "inputs": parse.names(self.inputs), "outputs": parse.names(self.outputs),
            "keep_float": parse.names(self.keep_float), "pixels": parse.pixels(self.mean, self.std, self.color, self.resize),
            "seed": settings.seed, "threads": settings.threads,
        }  # fmt: skip
