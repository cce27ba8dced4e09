"""Training with rounded numbers: the weights of a quantized net learn to live with their rounding.

    Given:   a quantized Graph: places, ranges and scales chosen, losses repaired
    Result:  the same places, ranges and scales, other weights and biases; scores narrowed again, which are trained as they were seen

Weights are kept as floats and rounded in every step, with gradients as if they were not. Where that is no better on samples that were
held out, the Graph stays as it was; without labels and another teacher also where outputs are no nearer to the float net's.
Source: Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exporter.array import Array
from exporter.data import Dataset
from exporter.graph import Graph
from exporter.graph.qdq import Quantization, insert
from exporter.quantization.assign import array_of
from exporter.quantization.calibration import Calibration
from exporter.quantization.draft import Draft
from exporter.quantization.gauge import Gauge
from exporter.quantization.narrow import SOFTMAX, narrow, widened
from exporter.quantization.outcome import Quantized, Repair

if TYPE_CHECKING:
    from exporter.train.history import Tick, Trained
    from exporter.train.settings import TrainSettings

OWN_RATE, RATE = 5e-5, 2e-4
"""Peak learning rates: of a net that learns from itself without rounding, and has only to move by some steps of its weights; and of one
with another teacher, which has more to learn."""


@dataclass(frozen=True)
class Retrained:
    """What training gave.

    Attributes:
        quantized: With the trained weights, or as it was where they are no better.
        kept: Whether they are in it.
        trained: How the training went.
    """

    quantized: Quantized
    kept: bool
    trained: "Trained"


def qat_settings(minutes: float, *, labelled: bool, itself: bool, seed: int = 0) -> "TrainSettings":
    """How quantized nets are trained.

    Args:
        minutes: Of the whole training.
        labelled: Whether the data have labels: DIST beside them; else the teacher's probabilities, as DIST alone knows no scale.
        itself: Whether it learns from its own float Graph, not from another net or from what it was before it was compressed.
        seed: Of everything random.

    Raises:
        UsageError: If the minutes are not above 0.
    """
    from exporter.train.settings import TrainSettings

    distill = "dist" if labelled else "logits"
    return TrainSettings(minutes=minutes, rate=OWN_RATE if itself else RATE, decay=0.0, distill=distill, choose="loss", seed=seed)


def retrain(
    quantized: Quantized,
    calibration: Calibration,
    data: Dataset,
    settings: "TrainSettings",
    *,
    teacher: Graph | None = None,
    keep: Path | None = None,
    tick: "Tick | None" = None,
) -> Retrained:
    """Train a quantized net's weights, and round them anew.

    Args:
        quantized: As `quantize` gives it.
        calibration: What it was made from: its float Graph teaches, its samples measure.
        data: Samples preprocessed for the graph's source; labels are optional.
        settings: How; see `qat_settings`.
        teacher: Another net to learn from; None: the float Graph itself.
        keep: Folder of the checkpoint, from which a killed training goes on; None: nothing is kept.
        tick: Told about every step.

    Raises:
        UsageError: If settings do not fit the model.
        DataError: If there are too few samples, or labels go beyond the classes.
        UnsupportedOpError: If the model has layers that cannot be trained; names them.
        ParityError: If the trainer's form of the model does not equal the Graph.
        MexportError: If the training diverges.
    """
    from exporter.train.fit import fit

    narrowed = [name for name, calibrator in quantized.report.calibrators.items() if calibrator == SOFTMAX]
    draft = widened(quantized.draft, narrowed)
    graph, how, frozen = _prepared(draft)
    trained = fit(graph, data, settings, teacher=teacher or calibration.graph, keep=keep, tick=tick, frozen=frozen, rounding=how)
    moved = _moved(draft, trained.graph)
    new, named, again = draft.with_constants(moved, _scales(draft, moved)), quantized.report.calibrators, list[Repair]()
    if narrowed:
        new, outcome = narrow(new, Gauge(new.graph, calibration.samples))
        named = {**named, **dict.fromkeys(narrowed, SOFTMAX if outcome.kept else "minmax")}
        again.append(outcome)
    rounded = insert(new.graph, new.quantization)
    gauge = Gauge(calibration.graph, calibration.samples)
    before, after = (gauge.confirm_graph(g) for g in (quantized.graph, rounded))
    imitates = teacher is None and data.labels is None  # then nearer to the float net is better, whatever training says of wide scores
    kept = trained.best.epoch > 0 and (not imitates or after.quality_db > before.quality_db)
    repair = Repair("qat", kept, before, after, tuple(w.layer for w in draft.points.weights))
    old = quantized.report
    if not kept:
        return Retrained(replace(quantized, report=replace(old, repairs=(*old.repairs, repair))), kept, trained)
    report = replace(old, repairs=(*old.repairs, *again, repair), loss=after, calibrators=named)
    return Retrained(Quantized(rounded, new, report), kept, trained)


def _prepared(draft: Draft) -> tuple[Graph, Quantization, frozenset[str]]:
    """The Graph that is trained, its rounding, and what stays as it is: constants stored as values are, and those used in two roles."""
    from exporter.train.separate import separated

    graph, copies = separated(draft.graph)
    how = draft.quantization
    constants = {**how.constants, **{own: how.constants[name] for own, name in copies.items() if name in how.constants}}
    learnt = {name for w in draft.points.weights for name in (w.weight, w.bias)}
    frozen = {*copies, *copies.values(), *(name for name in how.constants if name not in learnt)}
    return graph, replace(how, constants=constants), frozenset(frozen)


def _moved(draft: Draft, trained: Graph) -> dict[str, Array]:
    """Constants that training changed, by initializer name."""
    new = trained.model.graph.initializers
    found = {}
    for name, value in draft.graph.model.graph.initializers.items():
        if value.const_value is not None and name in new and not np.array_equal(value.const_value.numpy(), array_of(trained, name)):
            found[name] = array_of(trained, name)
    return found


def _scales(draft: Draft, moved: Mapping[str, Array]) -> dict[str, Array]:
    """Weight scales as they were trained with; raised only where sums of products would overflow in the engine."""
    how, found = draft.quantization.constants, dict[str, Array]()
    for w in draft.points.weights:
        if w.weight in moved:
            least = np.maximum(how[w.weight].scale, w.least_scale(moved[w.weight]))
            found[w.weight] = np.maximum(least, found.get(w.weight, least))
    return found
