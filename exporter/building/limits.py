"""The limits that a target's file sets itself: size, and lost accuracy."""

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.accuracy import Accuracy, score
from exporter.array import Array
from exporter.building.common import Common
from exporter.building.options import CALIBRATED
from exporter.building.order import Order
from exporter.building.retrained import suggestion
from exporter.errors import LimitError
from exporter.formats import Artifact
from exporter.graph.ports import to_graph, to_source
from exporter.proving.proof import run_artifact, value_shapes
from exporter.proving.subject import only_scores
from exporter.runtimes.run import open_engine

MIB = 2**20


def check_checkable(common: Common, order: Order) -> None:
    """A limit that cannot be checked fails the build, before any work.

    Raises:
        LimitError: If accuracy is limited and there is no labelled data.
    """
    limit = order.target.limits.top1_drop
    if limit is not None and common.options.data is None:
        raise LimitError(f"{order.target.name} limits top1_drop to {limit:g}, which needs labelled data", hint="add --data DATA")


def check_size(order: Order, artifact: Artifact) -> None:
    """The files of the model together.

    Raises:
        LimitError: If they are above `size_mib`; says by how much.
    """
    size, limit = sum(f.stat().st_size for f in artifact.files) / MIB, order.target.limits.size_mib
    if limit is not None and size > limit:
        said = f"{order.target.name}: {size:.2f} MiB are above the target's limit of {limit:g} MiB"
        raise LimitError(said, hint="--precision fp16 halves an fp32 file; else a smaller model is needed")


def count_right(common: Common, order: Order, artifact: Artifact) -> list[dict[str, Any]]:
    """Accuracy of the file and of the source on the user's labelled data, as numbers for the manifest; none without data.

    Raises:
        LimitError: If the file loses more than `top1_drop`.
    """
    if common.options.data is None:
        return []
    ours, own = _accuracy(common, order, artifact), common.accuracy
    limit = order.target.limits.top1_drop
    if limit is not None and own.top1 - ours.top1 > limit:
        fall = f"top-1 falls by {own.top1 - ours.top1:.4f}, from {own.top1:.4f} to {ours.top1:.4f}"
        raise LimitError(f"{order.target.name}: {fall}; the limit is {limit:g}", hint=_remedy(common, order))
    return [*_numbers("", ours, order.target.runtime), *_numbers("_source", own, common.source.info.framework)]


def _remedy(common: Common, order: Order) -> str:
    if order.precision in CALIBRATED:
        return f"--precision mixed with the same limit, --repair thorough, other calibration data, or {suggestion(common.options)}"
    if order.quantized:
        return "--precision mixed with the same limit, --repair thorough, or other calibration data"
    return "a higher precision loses less"


def _accuracy(common: Common, order: Order, artifact: Artifact) -> Accuracy:
    graph, shapes = common.graph, value_shapes(common.graph)
    data = common.labelled
    with (
        open_engine(order.target.runtime, artifact.path, threads=order.threads, options=order.runtime_options) as engine,
        common.console.progress(f"evaluating {artifact.path.name}", len(data)) as tick,
    ):

        def run(x: Mapping[str, Array]) -> Array:
            return only_scores(to_source(graph.outputs, run_artifact(engine, artifact, shapes, to_graph(graph.inputs, x))), None)

        return score(run, data, tick=tick)


def _numbers(suffix: str, accuracy: Accuracy, engine: str) -> Sequence[dict[str, Any]]:
    shared = {"unit": "share", "kind": "native", "engine": engine, "on": "host", "n": accuracy.n, "statistic": "mean"}
    shares = {"top1": accuracy.top1, "top5": accuracy.top5}
    return [{"name": f"{name}{suffix}", "value": value, **shared} for name, value in shares.items() if value is not None]
