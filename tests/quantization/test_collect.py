"""One pass over the samples: every value's statistics as numpy has them from all values at once."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exporter.array import Array
from exporter.data import Dataset, InputSpec, open_data
from exporter.errors import DataError
from exporter.graph import Graph, Port
from exporter.graph.evaluate import Evaluator, evaluate
from exporter.quantization.calibration import measured
from exporter.quantization.chosen import MOST, chosen, facts
from exporter.quantization.collect import LARGEST_BATCH, batch_size, calibrate, run_statistics, spread
from exporter.quantization.growing import bin_width
from exporter.quantization.keep import graph_sha256
from exporter.store import Store
from tests.graphs import graph_from_text

NET = """g (float[N,3,12,12] x) => (float[N,5] y) {
    c = Conv <pads = [1, 1, 1, 1]> (x, w, b)
    r = Relu (c)
    p = GlobalAveragePool (r)
    f = Flatten (p)
    y = Gemm <transB = 1> (f, m)
}"""

Opened = Callable[..., Dataset]


def net(seed: int = 0) -> Graph:
    rng = np.random.default_rng(seed)
    return graph_from_text(NET, {"w": rng.standard_normal((8, 3, 3, 3)), "b": rng.standard_normal(8), "m": rng.standard_normal((5, 8))})


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """The first n of 80 samples as a data set for `net`."""
    x = np.random.default_rng(1).standard_normal((80, 3, 12, 12)).astype(np.float32)
    x *= np.linspace(0.5, 3, 80, dtype=np.float32)[:, None, None, None]  # so that ranges grow on the way

    def run(n: int = 80) -> Dataset:
        np.savez(tmp_path / f"{n}.npz", x=x[:n].transpose(0, 2, 3, 1))
        return open_data(tmp_path / f"{n}.npz", [InputSpec("x", (3, 12, 12), "nchw")], {})

    return run


def inputs(data: Dataset) -> Array:
    return data.pick(len(data))[0]["x"]


def test_statistics_are_numpys(opened: Opened) -> None:
    graph, data = net(), opened()
    got = calibrate(graph, data).statistics
    assert set(got.values) == {"x", "c", "r", "p", "f", "y"}
    assert got.samples == 80
    want = {"x": inputs(data), **evaluate(graph, {"x": inputs(data)}, ["c", "r", "p", "f", "y"])}
    for name, x in want.items():
        h, rows = got.values[name], x.reshape(80, -1)
        # onnxruntime may add in another order in another batch: ends within float rounding, and an element may change its bin
        assert h.seen == pytest.approx((x.min(), x.max()), rel=1e-5, abs=1e-6)
        assert h.mean == pytest.approx((rows.min(1).mean(dtype=np.float64), rows.max(1).mean(dtype=np.float64)), rel=1e-5, abs=1e-6)
        assert h.counts.sum() == x.size
        assert len(h.counts) == round((h.edges[1] - h.edges[0]) / 2.0 ** bin_width(*h.seen))
        own = np.histogram(x.astype(np.float64), len(h.counts), h.edges)[0]
        assert np.abs(own - h.counts).sum() <= 2e-3 * x.size


def test_moved_values_share_their_statistics(opened: Opened) -> None:
    values = calibrate(net(), opened(8)).statistics.values
    assert values["f"].counts.tolist() == values["p"].counts.tolist()
    assert values["f"].seen == values["p"].seen


def test_samples_are_spread_and_in_graph_layout(tmp_path: Path) -> None:
    graph = net()
    graph.inputs = (Port("image", "x", (0, 3, 1, 2)),)
    x = np.random.default_rng(0).standard_normal((200, 12, 12, 3)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x)
    data = open_data(tmp_path / "d.npz", [InputSpec("image", (12, 12, 3), "nhwc")], {})
    found = calibrate(graph, data)
    assert found.samples["x"].shape == (128, 3, 12, 12)
    assert np.array_equal(found.samples["x"][-1], x[198].transpose(2, 0, 1))
    assert found.statistics.values["x"].seen == (float(x.min()), float(x.max()))


def test_batches_are_whole_pictures_and_give_the_same(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, data = net(), opened(40)
    assert batch_size(graph, ["c", "r", "y"]) == LARGEST_BATCH
    many = run_statistics(graph, data, 1, lambda done: None)
    monkeypatch.setattr("exporter.quantization.collect.LARGEST_BATCH", 1)
    one = run_statistics(graph, data, 1, lambda done: None)
    for name, h in one.values.items():
        assert many.values[name].seen == pytest.approx(h.seen, rel=1e-5, abs=1e-6)  # float rounding
        assert many.values[name].mean == pytest.approx(h.mean, rel=1e-5, abs=1e-6)


def test_a_value_without_samples_on_its_first_axis_is_run_one_by_one() -> None:
    turned = "t = Transpose <perm = [1, 0]> (x) r = Relu (t) y = Transpose <perm = [1, 0]> (r)"
    graph = graph_from_text(f"g (float[N,4] x) => (float[N,4] y) {{ {turned} }}")
    assert batch_size(graph, ["r"]) == 1


def test_big_values_count_other_elements_from_sample_to_sample() -> None:
    index = np.arange(300_007)[None]
    seen = np.zeros(index.size, bool)
    for phase in range(8):
        part = spread(index, phase, 65_536)
        assert 30_000 < part.size <= 65_536
        seen[part] = True
    assert seen.all()  # every element is counted in one sample or another


def test_big_values_keep_exact_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.quantization.collect.COUNTED", 3 * 65_536)
    x = np.random.default_rng(0).standard_normal((3, 400, 400, 1)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x)
    graph = graph_from_text("g (float[N,1,400,400] x) => (float[N,1,400,400] y) { y = Neg (x) }")
    data = open_data(tmp_path / "d.npz", [InputSpec("x", (1, 400, 400), "nchw")], {})
    h = calibrate(graph, data).statistics.values["y"]
    assert h.seen == (-float(x.max()), -float(x.min()))
    assert h.mean == pytest.approx((-x.reshape(3, -1).max(1).mean(dtype=np.float64), -x.reshape(3, -1).min(1).mean(dtype=np.float64)))
    assert 90_000 < h.counts.sum() <= 3 * 65_536  # of 480,000
    assert np.abs(np.cumsum(h.counts) / h.counts.sum() - 0.5).min() < 0.01  # half of a normal distribution lies on each side


def test_collect_again_on_a_changed_graph(opened: Opened) -> None:
    data = opened(16)
    found, changed = calibrate(net(), data), net(7)
    assert found.collect(changed).values["y"].seen == calibrate(changed, data).statistics.values["y"].seen
    assert found.collect(changed).values["y"].seen != found.statistics.values["y"].seen


def test_a_second_build_runs_nothing(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    own = Evaluator.run
    monkeypatch.setattr(Evaluator, "run", lambda self, x: (runs.append(1), own(self, x))[1])
    with Store(tmp_path / "store") as store:
        first = calibrate(net(), opened(), store=store).statistics
        assert runs
        runs.clear()
        second = calibrate(net(), opened(), store=store).statistics
        assert not runs
        calibrate(net(1), opened(), store=store)
        assert runs, "other weights are another graph"
        runs.clear()
        calibrate(net(), opened(40), store=store)
        assert runs, "other samples"
    assert second.samples == first.samples
    for name, h in first.values.items():
        got = second.values[name]
        assert (got.edges, got.seen, got.mean, got.infinite) == (h.edges, h.seen, h.mean, h.infinite)
        assert got.counts.tolist() == h.counts.tolist()


def test_a_stopped_pass_leaves_nothing_in_the_store(opened: Opened, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with Store(tmp_path / "store") as store:
        with pytest.raises(KeyboardInterrupt):
            calibrate(net(), opened(), store=store, tick=stop)
        assert store.ls() == []
        assert calibrate(net(), opened(), store=store).statistics.samples == 80


def test_graph_hash_is_of_contents() -> None:
    assert graph_sha256(net()) == graph_sha256(net()) == graph_sha256(net().clone())
    assert graph_sha256(net()) != graph_sha256(net(1))


def test_tick_tells_samples_done(opened: Opened) -> None:
    told: list[int] = []
    calibrate(net(), opened(), tick=told.append)
    assert told == [32, 64, 80]


def test_nan_names_value_and_sample(tmp_path: Path) -> None:
    x = np.ones((40, 3), np.float32)
    x[33, 1] = -1
    np.savez(tmp_path / "d.npz", x=x)
    graph = graph_from_text("g (float[N,3] x) => (float[N,3] y) { y = Sqrt (x) }")
    with pytest.raises(DataError, match="value y is not a number in calibration sample 33"):
        calibrate(graph, open_data(tmp_path / "d.npz", [InputSpec("x", (3,), "plain")], {}))


def test_infinite_elements_are_counted_apart(tmp_path: Path) -> None:
    x = np.array([[1.0, 0.0, 4.0], [2.0, 2.0, 0.5]], np.float32)
    np.savez(tmp_path / "d.npz", x=x)
    graph = graph_from_text("g (float[N,3] x) => (float[N,3] y) { y = Log (x) }")
    h = calibrate(graph, open_data(tmp_path / "d.npz", [InputSpec("x", (3,), "plain")], {})).statistics.values["y"]
    assert h.infinite == 1
    assert h.counts.sum() == 5
    assert h.seen == pytest.approx((np.log(0.5), np.log(4)))


def test_memory_does_not_grow_with_samples(tmp_path: Path) -> None:
    def peak(n: int) -> int:
        np.save(tmp_path / f"{n}.npy", np.random.default_rng(0).standard_normal((n, 24, 24, 3)).astype(np.float32))
        data = open_data(tmp_path / f"{n}.npy", [InputSpec("x", (3, 24, 24), "nchw")], {})
        graph = graph_from_text("g (float[N,3,24,24] x) => (float[N,3,24,24] y) { y = Relu (x) }")
        run_statistics(graph, data.some(64), 1, lambda done: None)
        tracemalloc.start()
        run_statistics(graph, data, 1, lambda done: None)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(1024) < peak(128) + 500_000  # bytes; the 896 samples more are 6 MB, their values 12


def test_chosen_samples_and_their_facts(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.arange(3000 * 4, dtype=np.float32).reshape(3000, 4))
    data = open_data(tmp_path / "d.npy", [InputSpec("x", (4,), "plain")], {})
    few = chosen(data)
    said = facts(few)
    assert said["samples"] == len(said["names"]) == MOST
    assert said["names"][:3] == ["d.npy[0]", "d.npy[2]", "d.npy[5]"]
    assert said["sha256"] != data.sha256
    assert chosen(few) is few
    assert inputs(few)[1].tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize(("side", "kept"), [(224, 128), (640, 54), (2000, 32)])
def test_of_large_inputs_fewer_samples_are_kept_at_hand(side: int, kept: int) -> None:
    graph = graph_from_text(f"g (float[N,3,{side},{side}] x) => (float[N,3,{side},{side}] y) {{ y = Relu (x) }}", {})
    assert measured(graph) == kept
