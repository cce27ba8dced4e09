"""Training with rounded numbers as a stage of a build, after quantization: kept in the store, so that a killed build goes on with it."""

import time
from collections.abc import Sequence
from typing import Any

from exporter.building.common import Common
from exporter.building.options import BuildOptions
from exporter.building.order import Order
from exporter.building.stages import Step
from exporter.compression.distill import words
from exporter.cost.count import totals
from exporter.quantization.outcome import Quantized
from exporter.quantization.qat import Retrained, qat_settings, retrain

LEFT_OUT = "--qat: the trained weights are no better on held-out samples, and were left out"


def suggestion(given: BuildOptions) -> str:
    """What to try where int8 loses too much: training, or more of it."""
    if given.qat is None:
        return "--qat MINUTES --train DATA trains it with rounded numbers"
    return f"more minutes than --qat {given.qat:g}, or more pictures to train with"


def retrained(common: Common, order: Order, result: Quantized) -> tuple[Quantized, Sequence[Step], Sequence[str]]:
    """A quantized Graph after the training that was asked for; its step for the manifest, and what a reader must know.

    Nothing is done where none was asked for, or no layer runs in integers.

    Raises:
        UnsupportedOpError: If the model has layers that cannot be trained; names them.
        DataError: If there are too few samples, or labels go beyond the classes.
        MexportError: If the training diverges.
    """
    if common.options.qat is None or not result.report.layers:
        return result, (), ()
    started = time.perf_counter()
    done = _trained(common, order, result)
    seconds = time.perf_counter() - started
    return done.quantized, (_step(common, result, done, seconds),), () if done.kept else (LEFT_OUT,)


def _trained(common: Common, order: Order, result: Quantized) -> Retrained:
    from exporter.train.history import Progress
    from exporter.train.start import start_tensorflow

    start_tensorflow()
    from exporter.train.fit import weights_sha256

    given, data = common.options, common.train_data
    assert given.qat is not None
    assert data is not None
    itself = common.teacher is None and common.compressed is None
    teacher = None if itself else common.teacher or common.finished
    settings = qat_settings(given.qat, labelled=data.labels is not None, itself=itself, seed=given.seed)
    graphs = [weights_sha256(g) for g in (result.graph, result.draft.graph, teacher or common.finished)]
    place = common.store.place("model", common.store.key("model", qat=settings, graphs=graphs, data=data.sha256))
    calibration = common.calibrated.calibration
    with common.clock.stage("qat"), common.console.share(f"training rounded numbers for {order.target.format}") as told:

        def tick(progress: Progress) -> None:
            told(progress.done, progress.left_s, words(progress))

        return retrain(result, calibration, data, settings, teacher=teacher, keep=place, tick=tick)


def _step(common: Common, result: Quantized, done: Retrained, seconds: float) -> Step:
    data, trained, size = common.train_data, done.trained, totals(result.draft.graph).as_dict()
    assert data is not None
    first, best = trained.history[0], trained.best
    facts: dict[str, Any] = {
        "samples": len(data), "sha256": data.sha256, "epochs": trained.history[-1].epoch, "best_epoch": best.epoch, "steps": trained.steps,
        "stopped": trained.stopped, "held_out_loss": [first.held_loss, best.held_loss],
        "held_out_accuracy": None if best.held_accuracy is None else [first.held_accuracy, best.held_accuracy],
    }  # fmt: skip
    settings = {"minutes": common.options.qat, "trained weights": "kept" if done.kept else "of no use"}
    return {"pass": "qat", "settings": settings, "before": size, "after": size, "seconds": seconds, "facts": facts,
            "history": [e.as_dict() for e in trained.history]}  # fmt: skip
