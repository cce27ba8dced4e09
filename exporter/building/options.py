"""Everything a build can be told beside the model and the target, in one typed place."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from exporter.errors import UsageError, unknown_name
from exporter.place import HOST
from exporter.sources.open import LoadOptions

CALIBRATED = ("int8", "mixed")
"""Precisions whose activations are stored in integers: their ranges come from data."""

QUANTIZED = (*CALIBRATED, "int8-dynamic", "int8-weights", "int4-weights")
"""Precisions that lose something on purpose: parity and fidelity are two numbers there."""

Shapes = Mapping[str | None, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class PixelOptions:
    """What the user said about the pictures; None where nothing was said.

    Attributes:
        mean: One number or one a channel, of pixels 0..255.
        std: Alike.
        color: "rgb", "bgr" or "gray".
        resize: "squash", "crop:0.875" or "letterbox".
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    color: str | None = None
    resize: str | None = None

    @property
    def given(self) -> bool:
        """Whether anything was said about the range of the input."""
        return self.mean is not None or self.std is not None


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Settings of a build; the names are those of the flags.

    Attributes:
        precision: "fp32", "fp16", ...; None for the target's default.
        io: Type of the inputs and outputs of an int8 file: "float32", "int8" or "uint8"; None for the target's.
        layout: "nchw" or "nhwc" for onnx; None for the source's.
        input_shapes: In the source's layout, batch included; the key None stands for the only input.
        inputs: Value names where the model is cut to begin.
        outputs: Value names where it is cut to end.
        name: The model's name; None for the source's.
        signature: Which signature of a SavedModel; None for `serving_default`, or the only one.
        samples: Data to verify with; None for synthetic ones.
        data: Labelled data to count right answers on; None for not counting.
        calibration: Data that int8 takes its ranges from; never the data that accuracy is counted on.
        accept_calibration: Go on with data that the linter refuses, and record it.
        calibrator: How ranges become scales, a name of `CALIBRATORS`.
        repair: "none", "default" or "thorough": how much is done against what int8 loses.
        keep_float: Layers (names of their first outputs) that stay float.
        min_sqnr_db: Least signal over noise of a quantized file against the float Graph; None for the target's.
        top1_drop: Most top-1 that may be lost, a share 0..1; None for the target's.
        train: Data to train with, labelled or not; None where nothing is trained. Never the data that accuracy is counted on.
        teacher: Another model whose answers are learnt; None for the source itself.
        qat: Minutes of training with rounded numbers; None for none.
        fastest: Build every precision that is allowed, keep the fastest.
        on: Where the file is proved too: "docker:arm64" or "docker:armv7"; "host" for this computer alone.
        cpu: Cores that are emulated there; none for one of each kind of arithmetic.
        pixels: What is known about the preprocessing.
        labels: File with one class name a line.
        trust: Run code that the model or the data brings along.
        custom_objects: Module with the model's own layers.
        seed: Of everything random.
        threads: Of the engine; None for the target's.
        output: Folder of the bundles.
        force: Replace a bundle that holds another build.
        command: The command line, for the manifest.
    """

    precision: str | None = None
    io: str | None = None
    layout: str | None = None
    input_shapes: Shapes = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    name: str | None = None
    signature: str | None = None
    samples: str | None = None
    data: str | None = None
    calibration: str | None = None
    accept_calibration: bool = False
    calibrator: str = "auto"
    repair: str = "default"
    keep_float: tuple[str, ...] = ()
    min_sqnr_db: float | None = None
    top1_drop: float | None = None
    train: str | None = None
    teacher: Path | None = None
    qat: float | None = None
    fastest: bool = False
    on: str = HOST
    cpu: tuple[str, ...] = ()
    pixels: PixelOptions = PixelOptions()
    labels: Path | None = None
    trust: bool = False
    custom_objects: str | None = None
    seed: int = 0
    threads: int | None = None
    output: Path = Path("out")
    force: bool = False
    command: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "BuildOptions":
        """From keyword arguments.

        Raises:
            UsageError: For a name that is none of ours; suggests the nearest.
        """
        known = [f.name for f in fields(cls)]
        for name in settings:
            if name not in known:
                raise unknown_name("setting", name, known)
        return cls(**{**settings, "output": Path(settings.get("output", "out"))})

    def load_options(self) -> LoadOptions:
        """What the source has to know."""
        if self.custom_objects and not self.trust:
            raise UsageError(f"--custom-objects {self.custom_objects} runs code of yours", hint="add --trust if you trust it")
        return LoadOptions(
            input_shapes=self.input_shapes, inputs=self.inputs, outputs=self.outputs,
            trust=self.trust, custom_objects=self.custom_objects, name=self.name, signature=self.signature,
        )  # fmt: skip
