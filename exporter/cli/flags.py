"""Flags that several commands take, in groups: what the source is, how it is compressed, what is built of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.cli import options as o
from exporter.cli.command import Settings

if TYPE_CHECKING:
    from exporter.recipe import Recipe

MINUTES = 10.0
"""Of training, where data are given and no time is."""

SHARES = {True: 0.5, False: 0.8}
"""Share of the multiply-accumulates that `compress` leaves when nothing is said: where it trains, where it only repairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFlags:
    """How a model is read; each field is an option of the command line."""

    input_shape: o.InputShapes = None
    inputs: o.Inputs = None
    outputs: o.Outputs = None
    signature: o.Signature = None
    trust: o.Trust = False
    custom_objects: o.CustomObjects = None

    def reading(self) -> dict[str, Any]:
        """As fields of `LoadOptions`.

        Raises:
            UsageError: For a flag that cannot be read; names it.
        """
        from exporter.cli import parse

        return {
            "input_shapes": parse.shapes(self.input_shape), "inputs": parse.names(self.inputs), "outputs": parse.names(self.outputs),
            "signature": self.signature, "trust": self.trust, "custom_objects": self.custom_objects,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFlags(LoadFlags):
    """What is known of the model that comes in: how it is read, and what its pictures are."""

    mean: o.Mean = None
    std: o.Std = None
    color: o.Color = None
    resize: o.Resize = None
    name: o.Name = None

    def given(self) -> dict[str, Any]:
        """As fields of `BuildOptions`.

        Raises:
            UsageError: For a flag that cannot be read; names it.
        """
        from exporter.cli import parse

        return {**self.reading(), "name": self.name, "pixels": parse.pixels(self.mean, self.std, self.color, self.resize)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionFlags:
    """How much of the model is left, and how it is trained again."""

    macs: o.Macs = None
    params: o.Params = None
    size: o.Size = None
    latency: o.LatencyShare = None
    score: o.Score = "entropy-next"
    scope: o.Scope = "inner"
    rounds: o.Rounds = 1
    channel_step: o.ChannelStep = None
    skip: o.Skip = None
    train: o.Train = None
    teacher: o.Teacher = None
    minutes: o.Minutes = None
    freeze_norms: o.FreezeNorms = False
    recipe: o.Recipe = None

    def given(self) -> dict[str, Any]:
        """As fields of `BuildOptions`."""
        return {"train": self.train, "teacher": self.teacher}

    def as_recipe(self, *, always: bool = False) -> "Recipe":
        """The recipe file's passes, or those that the flags ask for.

        Args:
            always: Whether something is compressed though no flag says how much.

        Raises:
            UsageError: If the file cannot be read, or file and flags both say what is to be done.
        """
        from dataclasses import replace

        from exporter.cli import parse
        from exporter.errors import UsageError
        from exporter.recipe import Recipe, load_recipe

        budget = {"macs": self.macs, "params": self.params, "size": self.size, "latency": parse.share(self.latency, "--latency")}
        asked = {name: share for name, share in budget.items() if share is not None}
        recipe = load_recipe(self.recipe) if self.recipe else Recipe()
        if recipe.passes:
            if asked or self.minutes is not None:
                raise UsageError(f"{self.recipe} says which passes run, and so do flags", hint="change the file, or leave it out")
            return recipe
        trains = self.train is not None if self.minutes is None else self.minutes > 0
        if always and not asked:
            asked = {"macs": SHARES[trains]}
        return replace(recipe, passes=self._passes(asked, trains))

    def _passes(self, asked: dict[str, float], trains: bool) -> tuple[Any, ...]:
        from exporter.cli import parse
        from exporter.compression.distill import Distill
        from exporter.compression.prune_channels import PruneChannels

        settings: dict[str, Any] = {
            "score": self.score, "scope": self.scope, "rounds": self.rounds, "channel_step": parse.channel_step(self.channel_step),
            "skip": parse.names(self.skip), **asked,
        }  # fmt: skip
        prune = [PruneChannels(**settings)] if asked else []
        train = [Distill(self.minutes or MINUTES, freeze_norms=self.freeze_norms)] if trains and (asked or self.minutes is not None) else []
        return (*prune, *train)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFlags:
    """What is built of it: the flags of `build`, which `plan` takes too."""

    output: o.Output = Path("out")
    precision: o.Precision = None
    data: o.OptionalData = None
    layout: o.Layout = None
    io: o.Io = None
    calibration: o.Calibration = None
    accept_calibration: o.AcceptCalibration = False
    calibrator: o.Calibrator = "auto"
    repair: o.Repair = "default"
    keep_float: o.KeepFloat = None
    min_sqnr_db: o.MinSqnrDb = None
    top1_drop: o.Top1Drop = None
    qat: o.Qat = None
    fastest: o.Fastest = False
    on: o.On = "host"
    cpu: o.Cpu = None

    def given(self, settings: Settings) -> dict[str, Any]:
        """As fields of `BuildOptions`."""
        from exporter.cli import parse

        plain = ("output", "precision", "data", "layout", "io", "calibration", "accept_calibration", "calibrator", "repair",
                 "min_sqnr_db", "top1_drop", "qat", "fastest", "on")  # fmt: skip
        return {
            **{field: getattr(self, field) for field in plain},
            "keep_float": parse.names(self.keep_float), "cpu": parse.names(self.cpu), "seed": settings.seed, "threads": settings.threads,
        }  # fmt: skip
