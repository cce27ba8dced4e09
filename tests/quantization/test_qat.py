"""Training with rounded numbers: it helps a net that rounds badly, comes back as pairs, goes on where it was killed, and is left out where
it does not help."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from exporter.data import Dataset, InputSpec, open_data
from exporter.errors import UsageError
from exporter.graph import const
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import insert
from exporter.graph.strip import strip
from exporter.quantization.assign import array_of
from exporter.quantization.calibration import Calibration
from exporter.quantization.narrow import SOFTMAX, widened
from exporter.quantization.outcome import Quantized
from exporter.quantization.qat import qat_settings, retrain
from exporter.quantization.quantize import quantize
from exporter.quantization.settings import QuantizeSettings
from exporter.train.history import Progress
from exporter.train.settings import TrainSettings
from tests.quantization.nets import Plain, calibration_of, conv_net, pictures

ROOT = Path(__file__).parent.parent.parent
QUICK = TrainSettings(epochs=12, batch=32, rate=1e-3, decay=0.0, augment=False, distill="logits", choose="loss")


def dataset(folder: Path, count: int = 256) -> Dataset:
    """Pictures of the kind that calibrates, channels last in the file."""
    np.savez(folder / "x.npz", x=pictures(count, seed=2)["x"].transpose(0, 2, 3, 1))
    return open_data(folder / "x.npz", [InputSpec("x", (3, 12, 12), "nchw")], {})


def badly_rounded(calibration: Calibration) -> Quantized:
    """A net whose channels differ so much that one scale for all of an activation leaves the small ones few integers."""
    return quantize(calibration, Plain(), QuantizeSettings("minmax", "none"))


def spoilt(good: Quantized) -> Quantized:
    """The same with every weight moved by up to 16 steps: there is much to learn."""
    draft, random = good.draft, np.random.default_rng(4)
    moved, scales = {}, {}
    for w in draft.points.weights:
        how, old = draft.quantization.constants[w.weight], array_of(draft.graph, w.weight)
        steps = how.quantize(old).astype(np.int64) + random.integers(-16, 17, old.shape)
        moved[w.weight], scales[w.weight] = how.dequantize(np.clip(steps, -127, 127).astype(np.int8)), how.scale
    draft = draft.with_constants(moved, scales)
    return replace(good, draft=draft, graph=insert(draft.graph, draft.quantization))


@pytest.fixture
def calibration() -> Calibration:
    return calibration_of(conv_net(spread=1.5), pictures(64))


def test_training_helps_a_net_that_rounds_badly(calibration: Calibration, tmp_path: Path) -> None:
    before, ticks = badly_rounded(calibration), list[Progress]()
    done = retrain(before, calibration, dataset(tmp_path), QUICK, tick=ticks.append)
    assert done.kept
    assert done.trained.best.held_loss < 0.5 * done.trained.history[0].held_loss
    x, after = pictures(64, seed=9), done.quantized
    errors = [np.mean((evaluate(g, x, ["l"])["l"] - evaluate(calibration.graph, x, ["l"])["l"]) ** 2) for g in (before.graph, after.graph)]
    assert errors[1] < errors[0]
    assert ticks
    repair = after.report.repairs[-1]
    assert (repair.name, repair.kept) == ("qat", True)
    assert repair.before == before.report.loss or before.report.loss is None
    assert after.report.loss == repair.after


def test_places_ranges_and_scales_stay_and_weights_come_back_as_integers(calibration: Calibration, tmp_path: Path) -> None:
    before = badly_rounded(calibration)
    after = retrain(before, calibration, dataset(tmp_path), QUICK).quantized
    old, new = before.draft.quantization, after.draft.quantization
    assert (old.values, old.edges) == (new.values, new.edges)
    weights = [w.weight for w in before.points.weights]
    assert all(np.array_equal(old.constants[w].scale, new.constants[w].scale) for w in weights)
    plain, rounding = strip(after.graph)
    assert set(rounding.constants) == set(old.constants)
    integers = [[const(g.model.graph.initializers[f"{w}__q"]) for w in weights] for g in (before.graph, after.graph)]
    assert all(x.dtype == np.int8 for x in integers[1])
    assert any((a != b).any() for a, b in zip(*integers, strict=True))
    assert before.graph is not after.graph
    assert insert(after.draft.graph, new).nodes is not None
    assert [n.op_type for n in plain.nodes] == [n.op_type for n in calibration.graph.nodes]


def test_narrowed_scores_are_trained_as_they_were_seen_and_narrowed_again(tmp_path: Path) -> None:
    graph = conv_net(spread=1.5)
    for name in ("wf", "bf"):  # sure of most pictures
        value = graph.model.graph.initializers[name]
        value.const_value = ir.tensor(40 * const(value), name=name)
    calibration = calibration_of(graph, pictures(64))
    before = spoilt(quantize(calibration, Plain(), QuantizeSettings("minmax")))
    assert before.report.calibrators["l"] == SOFTMAX
    seen, narrow = calibration.statistics.values["l"].seen, before.draft.ranges["l"]
    assert narrow[1] - narrow[0] < 0.7 * (seen[1] - seen[0])
    assert widened(before.draft, ["l"]).ranges["l"] == pytest.approx(seen, rel=1e-5)  # of the equalised net, for one
    done = retrain(before, calibration, dataset(tmp_path), QUICK)
    assert done.kept
    after = done.quantized
    again, trained = after.report.repairs[-2:]
    assert (again.name, trained.name, trained.kept) == ("narrow", "qat", True)
    assert after.report.calibrators["l"] == (SOFTMAX if again.kept else "minmax")
    width = (after.draft.ranges["l"][1] - after.draft.ranges["l"][0]) / (seen[1] - seen[0])
    assert width < 0.7 if again.kept else width == pytest.approx(1, rel=1e-5)
    assert {**after.draft.ranges, "l": None} == {**before.draft.ranges, "l": None}
    x = pictures(64, seed=9)
    errors = [np.mean((evaluate(g, x)["y"] - evaluate(graph, x)["y"]) ** 2) for g in (before.graph, after.graph)]
    assert errors[1] < errors[0] / 2


def test_without_labels_a_net_further_from_its_float_self_is_left_out(tmp_path: Path) -> None:
    """Training is judged by its own loss on scores as wide as they were seen; what counts in the end is what a file would give."""
    calibration = calibration_of(conv_net(spread=1.5), pictures(64))
    before = quantize(calibration, Plain(), QuantizeSettings("minmax"))
    mixed_up = replace(spoilt(before), graph=before.graph)  # what is trained begins far worse than what it is held against in the end
    done = retrain(mixed_up, calibration, dataset(tmp_path), replace(QUICK, epochs=1))
    assert done.trained.best.epoch == 1
    assert (done.kept, done.quantized.graph) == (False, before.graph)


def test_what_does_not_help_is_left_out(calibration: Calibration, tmp_path: Path) -> None:
    before = badly_rounded(calibration)
    done = retrain(before, calibration, dataset(tmp_path), replace(QUICK, epochs=1, rate=10.0))
    assert not done.kept
    assert done.quantized.graph is before.graph
    assert done.quantized.draft is before.draft
    assert (done.quantized.report.repairs[-1].name, done.quantized.report.repairs[-1].kept) == ("qat", False)


def test_sums_that_would_overflow_raise_their_scale(calibration: Calibration, tmp_path: Path) -> None:
    """Where an engine adds products two by two in 16 bits, trained weights still fit."""
    before = badly_rounded(calibration)
    pairs = tuple(replace(w, pairs=(1, 2, 3)) if w.weight == "w1" else w for w in before.points.weights)
    draft = replace(before.draft, points=replace(before.points, weights=pairs))
    after = retrain(replace(before, draft=draft), calibration, dataset(tmp_path), QUICK).quantized
    w = next(w for w in after.points.weights if w.weight == "w1")
    weight = const(after.draft.graph.model.graph.initializers["w1"])
    assert (after.draft.quantization.constants["w1"].scale >= w.least_scale(weight)).all()


def test_usual_settings() -> None:
    with_labels, without = (qat_settings(2.5, labelled=labelled, itself=labelled, seed=7) for labelled in (True, False))
    assert (with_labels.minutes, with_labels.seed, with_labels.choose) == (2.5, 7, "loss")
    assert (with_labels.distill, without.distill) == ("dist", "logits")
    assert with_labels.peak_rate < without.peak_rate  # who learns from itself has little to learn
    with pytest.raises(UsageError):
        qat_settings(0, labelled=True, itself=True)


RUN = """
import sys
from pathlib import Path
from dataclasses import replace
from exporter.quantization.qat import retrain
from tests.quantization.nets import calibration_of, conv_net, pictures
from tests.quantization.test_qat import QUICK, badly_rounded, dataset
place = Path(sys.argv[1])
calibration = calibration_of(conv_net(spread=1.5), pictures(64))
retrain(badly_rounded(calibration), calibration, dataset(place), replace(QUICK, epochs=60), keep=place / "kept")
"""


def test_a_killed_training_goes_on(calibration: Calibration, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", RUN, str(tmp_path)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        while not (tmp_path / "kept/checkpoint/facts.json").exists():
            assert child.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    steps = list[Progress]()
    settings = replace(QUICK, epochs=60)
    data = dataset(tmp_path)
    done = retrain(badly_rounded(calibration), calibration, data, settings, keep=tmp_path / "kept", tick=steps.append)
    assert [e.epoch for e in done.trained.history] == list(range(61))
    again = retrain(badly_rounded(calibration), calibration, data, settings, keep=tmp_path / "kept", tick=steps.clear)
    assert again.trained.steps == done.trained.steps
    assert [e.as_dict() for e in again.trained.history] == [e.as_dict() for e in done.trained.history]
