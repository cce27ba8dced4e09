"""Target, recipe and flags settled into what is to be made."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.building.common import Common
from exporter.building.options import CALIBRATED, QUANTIZED, BuildOptions
from exporter.building.precision import GUARD_DB, guard, limited, settings, settle, settle_io
from exporter.building.versions import content_sha256, tool_versions
from exporter.errors import UsageError
from exporter.fingerprint import code_version, fingerprint
from exporter.formats import WriteOptions
from exporter.parity import Limits
from exporter.place import HOST
from exporter.quantization.settings import QuantizeSettings
from exporter.recipe import Recipe
from exporter.runtimes.settings import runtime_options
from exporter.target import Target

USUAL = {
    "fp32": Limits(max_rel=1e-4), "fp16": Limits(min_sqnr_db=15.0), "int8": Limits(min_sqnr_db=25.0), "mixed": Limits(min_sqnr_db=25.0),
    **dict.fromkeys(("int8-dynamic", "int8-weights"), Limits(min_sqnr_db=15.0)), "int4-weights": Limits(min_sqnr_db=GUARD_DB),
}  # fmt: skip
"""Limits where a target's own file gives none for a precision: nothing is ever delivered unchecked.

The last three are written from the float Graph, so that their parity is what they lose: healthy nets have 38 dB in 8 bits and 18 in 4.
"""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made for one target: target, recipe and flags settled.

    Attributes:
        target: Where it is to run.
        recipe: Compression.
        precision: What runs.
        options: How the file is written.
        quantize: What is asked of the quantization; None where no ranges are needed.
        threads: Of the engine.
        runtime_options: Of the engine.
        folder: Where the bundle goes.
        build_key: sha256 of everything that the bundle depends on.
    """

    target: Target
    recipe: Recipe
    precision: str
    options: WriteOptions
    quantize: QuantizeSettings | None
    threads: int
    runtime_options: dict[str, Any]
    folder: Path
    build_key: str

    @property
    def limits(self) -> Limits:
        """What the file must hold against the Graph it is written from; a target that says nothing gets the usual."""
        parity, usual = self.target.parity, USUAL[self.precision]
        asked = Limits(parity.max_rel.get(self.precision), parity.min_sqnr_db.get(self.precision))
        if self.quantized and self.precision not in CALIBRATED and self.precision in self.target.quantization.min_sqnr_db:
            return self.guard  # written from the float Graph: parity is what is lost
        return usual if asked == Limits() else asked

    @property
    def quantized(self) -> bool:
        """Whether the file stores rounded numbers, and so loses something on purpose."""
        return self.precision in QUANTIZED

    @property
    def guard(self) -> Limits:
        """What a quantized Graph must hold against the float one."""
        return guard(self.target, self.precision)


def identity(common: Common, order: Order) -> dict[str, Any]:
    """What makes a bundle another build than the one that may lie in its folder; with --fastest whatever precision wins."""
    given = common.load_options.to_json()
    cut = {k: given[k] for k in ("input_shapes", "inputs", "outputs") if given[k]}
    precision = "fastest" if common.options.fastest else order.precision
    trained = {} if common.options.qat is None else {"qat": common.options.qat}
    return {"source": common.source.info.sha256, "precision": precision, "recipe": order.recipe.as_dict()["passes"], **trained, **cut}


def order(common: Common, target: Target, recipe: Recipe) -> Order:
    """Settle target, recipe and flags, in that order of growing weight.

    Raises:
        UsageError: For a precision, layout or io that the format does not have.
        DataError: For int8 without data to calibrate with.
    """
    return settled(common, target, recipe, settle(common, target))


def settled(common: Common, target: Target, recipe: Recipe, precision: str) -> Order:
    """The order at a precision that is already chosen."""
    given, target = common.options, limited(target, common.options, precision)
    options = WriteOptions(precision, _layout(given, target), target.onnx.opset, settle_io(given, target, precision))
    threads = given.threads or target.threads
    folder = given.output / f"{common.source.name}--{target.name}"
    asked = settings(given, target, precision)
    made = Order(target, recipe, precision, options, asked, threads, runtime_options(target.runtime, precision), folder, "")
    return replace(made, build_key=build_key(common, made))


def _layout(given: BuildOptions, target: Target) -> str | None:
    if given.layout is not None and (target.format != "onnx" or given.layout not in ("nchw", "nhwc")):
        raise UsageError(f"--layout {given.layout} for {target.format}", hint="--layout nchw or nhwc, for onnx targets only")
    return given.layout or target.onnx.layout


def build_key(common: Common, order: Order) -> str:
    """sha256 of source, settings, data, our code and the tools: an equal bundle needs no second build."""
    given = common.options
    return fingerprint(
        code=code_version(), tools=tool_versions(), source=common.source.info.sha256, load=common.load_options.to_json(),
        target=order.target, recipe=order.recipe, write=order.options, threads=order.threads, runtime_options=order.runtime_options,
        seed=given.seed, pixels=given.pixels, samples=given.samples and content_sha256(Path(given.samples)),
        data=given.data and content_sha256(Path(given.data)),
        labels=given.labels and content_sha256(given.labels), quantize=order.quantize,
        keep_float=given.keep_float, calibration=given.calibration and content_sha256(Path(given.calibration)),
        accepted=given.accept_calibration, train=given.train and content_sha256(Path(given.train)),
        teacher=given.teacher and content_sha256(given.teacher), qat=given.qat, **_away(given),
    )  # fmt: skip


def _away(given: BuildOptions) -> dict[str, Any]:
    """Where else it is proved: a bundle that was not has to be made again."""
    return {} if given.on == HOST else {"on": given.on, "cpu": given.cpu}
