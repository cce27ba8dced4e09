"""What a quantization hands on: the Graph with its pairs, and what was done to get there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.formats.points import Points, Range
from exporter.graph import Graph
from exporter.quantization.draft import Draft
from exporter.quantization.measure import Loss


@dataclass(frozen=True, slots=True)
class Repair:
    """One attempt to lose less.

    Attributes:
        name: "equalise", "correct", "adaround", "narrow", or "calibrators" for the choice among them.
        kept: Whether it stays: it helped on samples that it was not made from ("narrow": on each as if it were made from the others).
        before: Loss without it, on those samples.
        after: Loss with it.
        layers: Layers or values that it touched.
    """

    name: str
    kept: bool
    before: Loss
    after: Loss
    layers: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        facts = {"name": self.name, "kept": self.kept, "before": self.before.as_dict(), "after": self.after.as_dict()}
        return {**facts, "layers": list(self.layers)}


@dataclass(frozen=True, slots=True)
class LayerLoss:
    """What one layer costs when it alone runs in integers.

    Attributes:
        layer: Name of its first output.
        loss: Of the outputs.
        macs: Multiply-accumulates of the layer, for one sample.
    """

    layer: str
    loss: Loss
    macs: int

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {"layer": self.layer, "macs": self.macs, **self.loss.as_dict()}


@dataclass(frozen=True, slots=True)
class Report:
    """What was done and what it gave.

    Attributes:
        calibrators: The calibrator of every quantized value, by name; "softmax" where only that is spanned which one tells apart.
        loss: Of the whole net, on samples that no choice was made with; None where nothing was measured.
        repairs: What was tried, in order.
        kept_float: Layers left in float, and why.
        sensitivity: Loss of each layer alone, the worst first; empty where it was not needed.
        pairs: Quantize-dequantize pairs in the Graph: on values and on the way to readers.
        layers: How many layers run in integers.
        evaluations: Candidates that were run.
        spared: Repairs that were not tried, as they take long and were not asked for.
    """

    calibrators: Mapping[str, str]
    loss: Loss | None = None
    repairs: tuple[Repair, ...] = ()
    kept_float: Mapping[str, str] = field(default_factory=dict)
    sensitivity: tuple[LayerLoss, ...] = ()
    pairs: int = 0
    layers: int = 0
    evaluations: int = 0
    spared: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "calibrators": dict(self.calibrators), "loss": self.loss and self.loss.as_dict(),
            "repairs": [r.as_dict() for r in self.repairs], "kept_float": dict(self.kept_float),
            "sensitivity": [s.as_dict() for s in self.sensitivity], "pairs": self.pairs, "layers": self.layers,
            "evaluations": self.evaluations, "spared": list(self.spared),
        }  # fmt: skip


@dataclass(frozen=True)
class Quantized:
    """A quantized Graph.

    Attributes:
        graph: With its pairs; the truth that files are held against.
        draft: The float Graph that was rounded, its statistics, points and ranges.
        report: What was done.
    """

    graph: Graph
    draft: Draft
    report: Report

    @property
    def points(self) -> Points:
        """What is stored in integers."""
        return self.draft.points

    @property
    def ranges(self) -> dict[str, Range]:
        """The ranges chosen, by value name."""
        return {name: self.draft.ranges[name] for name in self.report.calibrators}
