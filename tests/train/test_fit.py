"""Training: it learns, from labels and from a teacher; a run that was killed goes on; what it tells is true."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from exporter.data import Dataset, InputSpec, open_data
from exporter.errors import DataError, MexportError, UsageError
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.train.augment import augmentations
from exporter.train.checkpoint import Checkpoint, Keeper
from exporter.train.feed import Feed, halves
from exporter.train.fit import fit
from exporter.train.heads import heads_of, labelled
from exporter.train.history import Progress
from exporter.train.objective import Objective
from exporter.train.schedule import Schedule
from exporter.train.settings import TrainSettings
from tests.graphs import graph_from_text
from tests.train.training_data import pictures, residual_net

ROOT = Path(__file__).parent.parent.parent
QUICK = TrainSettings(epochs=10, batch=32, rate=5e-3)


def accuracy(graph: Graph, data: Dataset) -> float:
    inputs, labels = data.pick(len(data))
    port = graph.inputs[0]
    scores = evaluate(graph, {port.name: port.to_graph(inputs[port.source_name])})[graph.outputs[0].name]
    return float((scores.argmax(1) == labels).mean())


@pytest.fixture(scope="module")
def teacher() -> Graph:
    """Trained on labels alone."""
    return fit(residual_net(), pictures(), QUICK).graph


def test_labels_teach(teacher: Graph) -> None:
    assert accuracy(residual_net(), pictures()) <= 0.25  # an untrained net guesses one in ten
    assert accuracy(teacher, pictures()) >= 0.4  # ten passes over 270 pictures gave 0.5 to 0.6


@pytest.mark.parametrize("how", ["dist", "logits", "features"])
def test_a_teacher_teaches_without_labels(how: str, teacher: Graph) -> None:
    found = fit(residual_net(1), pictures(labels=False), TrainSettings(epochs=8, batch=32, rate=5e-3, distill=how), teacher=teacher)
    first, best = found.history[0], found.best
    assert best.held_accuracy is None
    assert best.held_loss <= 0.3 * first.held_loss  # 0.02 to 0.08 of it were seen
    assert [n for n in found.graph.model.graph.initializers if "adapter" in n] == []


def test_a_teacher_is_asked_once_about_each_view(teacher: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    settings = TrainSettings(epochs=5, batch=32, views=2, rate=1e-3, distill="logits", flip=True)

    def heard(*answers: np.ndarray) -> np.ndarray:
        asked.append(len(answers[0]))
        return answers[0]

    ask = Objective.ask
    monkeypatch.setattr(Objective, "ask", lambda self, x: [tf.numpy_function(heard, ask(self, x), tf.float32)])
    kept = fit(residual_net(1), pictures(), settings, teacher=teacher)
    assert sum(asked) == 2 * 8 * 32 + 30  # in five passes: two views of eight full batches, and the 30 held-out samples
    monkeypatch.undo()
    monkeypatch.setattr(Objective, "memorable", False)
    anew = fit(residual_net(1), pictures(), settings, teacher=teacher)
    for a, b in zip(kept.history, anew.history, strict=True):
        assert abs(a.held_loss - b.held_loss) <= 1e-3 * abs(b.held_loss)  # threads add in any order


def test_a_student_may_take_its_pictures_in_another_layout(teacher: Graph) -> None:
    student = residual_net(1)
    student.inputs = (type(student.inputs[0])("pixels", "x", (0, 1, 2, 3)),)
    found = fit(student, pictures(labels=False, layout="nchw"), TrainSettings(epochs=3, batch=32, rate=5e-3), teacher=teacher)
    assert found.best.held_loss < found.history[0].held_loss


def test_what_is_told(teacher: Graph) -> None:
    ticks: list[Progress] = []
    found = fit(residual_net(1), pictures(), TrainSettings(epochs=3, batch=32), teacher=teacher, tick=ticks.append)
    assert [e.epoch for e in found.history] == [0, 1, 2, 3]
    assert (found.stopped, found.steps, len(ticks)) == ("epochs", 24, 24)  # 270 pictures are 8 full batches
    assert found.best.score() == max(e.score() for e in found.history)
    assert json.loads(json.dumps([e.as_dict() for e in found.history]))[1]["rate"] > 0
    assert all(a.done <= b.done for a, b in itertools.pairwise(ticks))
    assert ticks[-1].left_s == 0.0


def test_same_seed_same_training() -> None:
    runs = [fit(residual_net(), pictures(), TrainSettings(epochs=2, batch=32)) for _ in range(2)]
    a, b = (r.history[-1].held_loss for r in runs)
    assert abs(a - b) <= 1e-3 * abs(a)  # threads add in any order; another seed gives another loss by far more


def test_the_clock_ends_a_training() -> None:
    found = fit(residual_net(), pictures(), TrainSettings(minutes=0.05, batch=32))
    assert found.stopped == "minutes"
    assert found.best in found.history


def test_frozen_weights_stay() -> None:
    found = fit(residual_net(), pictures(), TrainSettings(epochs=1, batch=32), frozen=["w_stem"])
    before, after = (g.model.graph.initializers for g in (residual_net(), found.graph))
    same = {name: np.array_equal(before[name].const_value.numpy(), after[name].const_value.numpy()) for name in ("w_stem", "w_a1")}
    assert same == {"w_stem": True, "w_a1": False}


def test_frozen_norms_keep_their_statistics() -> None:
    found = fit(residual_net(), pictures(), TrainSettings(epochs=1, batch=32, freeze_norms=True, rate=1e-4))
    before, after = (g.model.graph.initializers for g in (residual_net(), found.graph))
    same = {
        n: np.array_equal(before[n].const_value.numpy(), after[n].const_value.numpy()) for n in ("mean_a1", "var_a1", "scale_a1", "w_a1")
    }
    assert same == {"mean_a1": True, "var_a1": True, "scale_a1": False, "w_a1": False}


def test_patience_ends_a_training() -> None:
    settings = TrainSettings(epochs=50, batch=32, rate=1e-12, patience=2)  # nothing moves but batch norms
    assert len(fit(residual_net(), pictures(), settings).history) < 20


@pytest.mark.parametrize("settings", [{"epochs": 2}, {"minutes": 0.05}, {"epochs": 50, "rate": 1e-12, "patience": 1}])
def test_a_training_that_has_ended_is_not_gone_on_with(settings: dict[str, Any], tmp_path: Path) -> None:
    first, again = (fit(residual_net(), pictures(), TrainSettings(batch=32, **settings), keep=tmp_path) for _ in range(2))
    assert (again.history, again.steps, again.stopped) == (first.history, first.steps, first.stopped)


def test_a_rate_beyond_reason_is_said() -> None:
    with pytest.raises(MexportError, match="diverged"):
        fit(residual_net(), pictures(), TrainSettings(epochs=20, batch=32, optimiser="sgd", rate=1e30))


def test_nothing_to_learn_from() -> None:
    with pytest.raises(UsageError, match="nothing to learn from"):
        fit(residual_net(), pictures(labels=False))


def test_labels_beyond_the_classes_are_refused() -> None:
    found = pictures()
    with pytest.raises(DataError, match="a label is 19"):
        fit(residual_net(), Dataset(found.samples, found.labels + 10))


def test_several_outputs_are_distilled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inits = {
        "w": rng.standard_normal((6, 3, 3, 3)) * 0.2,
        "v": rng.standard_normal((4, 6)),
        "u": rng.standard_normal((1, 6)),
        "s": np.int64([0, 6]),
    }
    text = """g (float[N,3,8,8] x) => (float[N,4] y, float[N,1] z, float[N,6,6,6] m) {
      c = Conv (x, w) m = Relu (c) p = GlobalAveragePool (m) f = Reshape (p, s)
      l = Gemm <transB = 1> (f, v) y = Softmax (l) q = Gemm <transB = 1> (f, u) z = Sigmoid (q) }"""
    teacher = graph_from_text(text, inits)
    student = graph_from_text(text, {**inits, "w": rng.standard_normal((6, 3, 3, 3)) * 0.2})
    assert [(h.value, h.kind) for h in heads_of(teacher, {})] == [("l", "classes"), ("q", "binary"), ("m", "numbers")]
    np.savez(tmp_path / "x.npz", x=rng.standard_normal((64, 3, 8, 8)).astype(np.float32).transpose(0, 2, 3, 1))
    data = open_data(tmp_path / "x.npz", [InputSpec("x", (3, 8, 8), "nchw")], {})
    found = fit(student, data, TrainSettings(epochs=20, batch=16, rate=1e-2), teacher=teacher)
    assert found.best.held_loss <= 0.5 * found.history[0].held_loss


def test_outputs_that_could_be_anything_take_labels_or_what_is_told() -> None:
    text = "g (float[N,4] x) => (float[N,4] y, float[N,4] z) { y = Relu (x) z = Exp (x) }"
    graph = graph_from_text(text)
    with pytest.raises(UsageError, match="2 of the outputs y, z"):
        labelled(heads_of(graph, {}), graph)
    assert [h.kind for h in labelled(heads_of(graph, {"z": "classes"}), graph)] == ["numbers", "classes"]
    with pytest.raises(UsageError, match="cannot be binary"):
        heads_of(graph, {"z": "binary"})
    with pytest.raises(UsageError, match="unknown output: zz"):
        heads_of(graph, {"zz": "classes"})


@pytest.mark.parametrize(
    "wrong",
    [{"minutes": 0}, {"distill": "dits"}, {"optimiser": "adam"}, {"held_out": 1.0}, {"epochs": 0}, {"views": -1},
     {"blend": True, "augment": False}],
)  # fmt: skip
def test_settings_that_make_no_sense(wrong: dict[str, float | str]) -> None:
    with pytest.raises(UsageError):
        TrainSettings(**wrong)


def test_schedule() -> None:
    way = Schedule(1.0, 100, 0.1, 0.1)
    assert way.rate(0.05) == pytest.approx(0.05)
    assert way.rate(0.1) == pytest.approx(0.1)
    assert way.rate(0.55) == pytest.approx(0.05)
    assert way.rate(1.0) == pytest.approx(0.0, abs=1e-12)
    assert way.progress(50) == 0.5
    assert Schedule(1.0, None, 0.1, 0.1, spent_s=30).progress(0) == pytest.approx(0.5, abs=0.01)


def test_held_out_samples_are_not_trained_on() -> None:
    train, held = halves(pictures(), 0.1, 3)
    assert (len(train), len(held)) == (270, 30)
    assert not set(train.indices.tolist()) & set(held.indices.tolist())
    seen = [labels for _, labels in train.shuffled(32, (0, 0))]
    assert [len(labels) for labels in seen] == [32] * 8
    with pytest.raises(DataError, match="too few"):
        halves(pictures().some(4), 0.1, 3)


def test_data_beyond_memory_are_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Feed(pictures(), range(40))
    monkeypatch.setattr("exporter.train.feed.MEMORY_BYTES", 0)
    read = Feed(pictures(), range(40))
    for (a, p), (b, q) in zip(kept.shuffled(16, (1, 2)), read.shuffled(16, (1, 2)), strict=True):
        assert np.array_equal(a["pixels"], b["pixels"])
        assert np.array_equal(p, q)


def test_pictures_are_shifted_and_mirrored() -> None:
    text = "g (float[N,3,32,24] x) => (float[N,3,32,24] y) { y = Relu (x) }"
    change = augmentations(graph_from_text(text), None)["x"]
    x = np.random.default_rng(0).standard_normal((64, 3, 32, 24)).astype(np.float32)
    y = change(tf.constant(x), tf.constant([0, 1])).numpy()
    inner = slice(4, 28), slice(3, 21)
    found = set()
    for before, after in zip(x, y, strict=True):
        moves = [(d, r, f) for d in range(-4, 5) for r in range(-3, 4) for f in (1, -1)]
        fits = [m for m in moves if np.array_equal(_moved(before, *m)[:, *inner], after[:, *inner])]
        assert len(fits) == 1
        found.add(fits[0])
    assert len(found) >= 30  # of 126 moves
    assert np.array_equal(y, change(tf.constant(x), tf.constant([0, 1])).numpy())


def _moved(x: np.ndarray, down: int, right: int, flip: int) -> np.ndarray:
    return np.roll(np.roll(x, -down, 1), -right, 2)[:, :, ::flip]


def test_pictures_are_blended() -> None:
    text = "g (float[N,3,32,24] x) => (float[N,3,32,24] y) { y = Relu (x) }"
    change = augmentations(graph_from_text(text), None, blend=True)["x"]
    x = np.broadcast_to(np.arange(64, dtype=np.float32)[:, None, None, None], (64, 3, 32, 24))  # each of one colour
    shares, distances, middles = [], set(), []
    for step in range(40):
        y = change(tf.constant(x), tf.constant([0, step])).numpy()
        assert np.array_equal(y, change(tf.constant(x), tf.constant([0, step])).numpy())
        assert np.array_equal(y, np.broadcast_to(y[:, :1], y.shape))
        pasted = y[:, 0] != x[:, 0]
        rows, columns = pasted.any(2), pasted.any(1)
        assert np.array_equal(pasted, rows[:, :, None] & columns[:, None, :])
        assert all((np.diff(np.flatnonzero(line)) == 1).all() for lines in (rows, columns) for line in lines)  # one box
        found = set(((x - y)[:, 0][pasted] % 64).tolist())
        assert len(found) <= 1  # one distance for the whole batch
        distances |= found
        shares += pasted.mean((1, 2)).tolist()
        middles += [tuple(np.argwhere(one).mean(0)) for one in pasted if one.any() and one.mean() < 0.1]
    assert len(distances) >= 20
    assert 0.2 < np.mean(shares) < 0.45  # half of a picture on average, less what a box has beyond the edge
    assert np.histogram2d(*np.transpose(middles), bins=2, range=((0, 31), (0, 23)))[0].min() > 0.15 * len(middles)


def test_of_blended_pictures_the_teacher_alone_is_believed(teacher: Graph) -> None:
    settings = TrainSettings(epochs=2, batch=32, rate=1e-3, distill="logits", blend=True)
    with_labels, without = (fit(residual_net(1), pictures(labels=told), settings, teacher=teacher) for told in (True, False))
    for a, b in zip(with_labels.history, without.history, strict=True):
        assert a.held_loss == pytest.approx(b.held_loss, rel=1e-3)  # threads add in any order
    assert with_labels.best.held_accuracy is not None
    with pytest.raises(UsageError, match="no teacher"):
        fit(residual_net(1), pictures(), settings)
    with pytest.raises(UsageError, match="no input takes pictures"):
        augmentations(graph_from_text("g (float[N,3,40] x) => (float[N,3,40] y) { y = Relu (x) }"), None, blend=True)


def test_digits_are_not_mirrored_and_rows_not_shifted() -> None:
    assert augmentations(residual_net(), None)["pixels"].flip is False
    assert augmentations(residual_net(), True)["pixels"].flip is True
    assert augmentations(graph_from_text("g (float[N,3,40] x) => (float[N,3,40] y) { y = Relu (x) }"), None) == {}


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    Keeper(tmp_path, "a").save(Checkpoint({"step": 1}, {"weights": {"w/1": np.ones(2)}}))
    Keeper(tmp_path, "a").save(Checkpoint({"step": 2}, {"weights": {"w/1": np.zeros(2)}}))
    found = Keeper(tmp_path, "a").load()
    assert found is not None
    assert (found.facts["step"], found.arrays["weights"]["w/1"].tolist()) == (2, [0, 0])
    with pytest.raises(UsageError, match="another training"):
        Keeper(tmp_path, "b").load()


RUN = """
import sys
from pathlib import Path
from typing import Any
from exporter.train.fit import fit
from exporter.train.settings import TrainSettings
from tests.train.training_data import pictures, residual_net
fit(residual_net(), pictures(), TrainSettings(epochs=24, batch=32), keep=Path(sys.argv[1]))
"""


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    facts = tmp_path / "checkpoint/facts.json"
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", RUN, str(tmp_path)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        while _epochs(facts) < 3:
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    before = json.loads(facts.read_text())["facts"]["history"]
    assert len(before) < 24
    found = fit(residual_net(), pictures(), TrainSettings(epochs=24, batch=32), keep=tmp_path)
    assert [e.as_dict() for e in found.history[: len(before)]] == before
    assert [e.epoch for e in found.history] == list(range(25))
    assert (found.steps, found.stopped) == (192, "epochs")


def _epochs(facts: Path) -> int:
    try:
        return len(json.loads(facts.read_text())["facts"]["history"])
    except FileNotFoundError:
        return 0
