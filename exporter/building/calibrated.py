"""Calibration as a stage of a build: data through the linter, the Graph's statistics on them, once for all targets."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from exporter.array import Array
from exporter.building.inputs import scales_itself
from exporter.building.stages import source_shape
from exporter.data import Dataset
from exporter.graph.evaluate import evaluate
from exporter.graph.ports import to_graph
from exporter.quantization.calibration import Calibration
from exporter.quantization.chosen import chosen, facts
from exporter.quantization.collect import calibrate
from exporter.quantization.finding import REFUSE, Finding
from exporter.quantization.lint import lint, require_fit

if TYPE_CHECKING:
    from exporter.building.common import Common


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What calibrating gave.

    Attributes:
        calibration: Statistics of the finished Graph, and samples to measure with.
        facts: For the manifest: how many samples, their sha256 and names, what the linter said.
        warnings: What it warned of, in words.
    """

    calibration: Calibration
    facts: dict[str, Any]
    warnings: tuple[str, ...]


def calibrated(common: "Common", data: Dataset) -> Calibrated:
    """Hold the data against the linter, then run the Graph on them, or take what the store has.

    Raises:
        DataError: If the linter refuses them and nobody accepts them all the same.
    """
    used, accepted = chosen(data), common.options.accept_calibration
    with common.clock.stage("calibrate"):
        with common.console.stage("looking at the calibration data"):
            found = _linted(common, used)
        require_fit(found, accepted=accepted)
        with common.console.progress("calibrating", len(used)) as tick:
            calibration = calibrate(common.graph, used, store=common.store, tick=tick)
    for finding in found:
        common.console.warn(f"calibration data: {finding.message}; {finding.remedy}")
    said = {"findings": [asdict(f) for f in found], "accepted": [f.kind for f in found if f.severity == REFUSE]}
    return Calibrated(calibration, {**facts(used), **said}, tuple(f"{f.message}; {f.remedy}" for f in found))


def _linted(common: "Common", data: Dataset) -> list[Finding]:
    graph = common.graph
    rows = [p for p in graph.outputs if len(p.perm) == 2]
    pixels = [p.source_name for p in common.raw.inputs if scales_itself(common.raw, p.name)]
    if len(graph.outputs) != 1 or not rows:
        return lint(data, common.specs, common.preprocessing, takes_pixels=pixels)

    def scores(samples: Mapping[str, Array]) -> Array:
        return evaluate(graph, to_graph(graph.inputs, samples))[rows[0].name]

    count = source_shape(graph, rows[0])[-1]
    return lint(data, common.specs, common.preprocessing, takes_pixels=pixels, classes=count, scores=scores)
