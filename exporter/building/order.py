"""Target, recipe and flags settled into what is to be made."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.building.common import Common
from exporter.building.versions import content_sha256, tool_versions
from exporter.errors import UsageError
from exporter.fingerprint import code_version, fingerprint
from exporter.formats import WriteOptions, load_writer
from exporter.parity import Limits
from exporter.recipe import Recipe
from exporter.runtimes.settings import runtime_options
from exporter.target import Target

USUAL = {"fp32": Limits(max_rel=1e-4), "fp16": Limits(min_sqnr_db=15.0)}
"""Limits where a target's own file gives none for a precision: nothing is ever delivered unchecked."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made for one target: target, recipe and flags settled.

    Attributes:
        target: Where it is to run.
        recipe: Compression.
        precision: What runs.
        options: How the file is written.
        threads: Of the engine.
        runtime_options: Of the engine.
        folder: Where the bundle goes.
        build_key: sha256 of everything that the bundle depends on.
    """

    target: Target
    recipe: Recipe
    precision: str
    options: WriteOptions
    threads: int
    runtime_options: dict[str, Any]
    folder: Path
    build_key: str

    @property
    def limits(self) -> Limits:
        """What the file must hold against the Graph it is written from; a target that says nothing gets the usual."""
        parity, usual = self.target.parity, USUAL.get(self.precision, Limits())
        asked = Limits(parity.max_rel.get(self.precision), parity.min_sqnr_db.get(self.precision))
        return usual if asked == Limits() else asked

    def identity(self, common: Common) -> dict[str, Any]:
        """What makes it another build than the one that may lie in its folder."""
        given = common.load_options.to_json()
        cut = {k: given[k] for k in ("input_shapes", "inputs", "outputs") if given[k]}
        return {"source": common.source.info.sha256, "precision": self.precision, "recipe": self.recipe.as_dict()["passes"], **cut}


def order(common: Common, target: Target, recipe: Recipe) -> Order:
    """Settle target, recipe and flags, in that order of growing weight.

    Raises:
        UsageError: For a precision, layout or io that the format does not have.
    """
    given = common.options
    precision = given.precision or target.precision
    known = load_writer(target.format).PRECISIONS
    if precision not in known:
        raise UsageError(f"{target.format} files cannot be written at {precision}", hint=f"--precision {' | '.join(known)}")
    if given.io != "float32":
        raise UsageError(f"--io {given.io} is for int8 files, this one is {precision}", hint="leave --io out")
    if given.layout is not None and (target.format != "onnx" or given.layout not in ("nchw", "nhwc")):
        raise UsageError(f"--layout {given.layout} for {target.format}", hint="--layout nchw or nhwc, for onnx targets only")
    options = WriteOptions(precision, given.layout or target.onnx.layout, target.onnx.opset)
    threads = given.threads or target.threads
    folder = given.output / f"{common.source.name}--{target.name}"
    settled = Order(target, recipe, precision, options, threads, runtime_options(target.runtime, precision), folder, "")
    return replace(settled, build_key=build_key(common, settled))


def build_key(common: Common, order: Order) -> str:
    """sha256 of source, settings, data, our code and the tools: an equal bundle needs no second build."""
    given = common.options
    return fingerprint(
        code=code_version(), tools=tool_versions(), source=common.source.info.sha256, load=common.load_options.to_json(),
        target=order.target, recipe=order.recipe, write=order.options, threads=order.threads, runtime_options=order.runtime_options,
        seed=given.seed, pixels=given.pixels, samples=given.samples and content_sha256(Path(given.samples)),
        data=given.data and content_sha256(Path(given.data)),
        labels=given.labels and content_sha256(given.labels),
    )  # fmt: skip
