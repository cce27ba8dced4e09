"""Each repair on a net that needs it: exact where it says so, better where it must be, the same every time."""

from dataclasses import replace

import numpy as np
import pytest

from exporter.graph import const
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import insert
from exporter.graph.strip import strip
from exporter.quantization import adaround as rounding
from exporter.quantization.adaround import adaround, candidates, round_rows
from exporter.quantization.choose import by_calibrator
from exporter.quantization.correct import correct
from exporter.quantization.draft import Draft, begin
from exporter.quantization.equalise import equalised
from exporter.quantization.gauge import Gauge
from exporter.quantization.measure import loss
from exporter.quantization.moments import Moments, Product, patches, products
from tests.graphs import graph_from_text
from tests.quantization.nets import Plain, conv_net, pictures, statistics_of


def drafted(graph, samples) -> Draft:
    draft = begin(graph, statistics_of(graph, samples), Plain(), frozenset())
    return draft.with_ranges(by_calibrator("minmax", draft).ranges)


def loss_of(draft: Draft, gauge: Gauge):
    real, rounded = (evaluate(g, gauge.confirming, gauge.values) for g in (draft.base, insert(draft.graph, draft.quantization)))
    return loss(gauge.tails, real, rounded)


def test_equalisation_helps_a_net_with_badly_scaled_channels() -> None:
    graph, x = conv_net(spread=2.0), pictures(64)
    gauge = Gauge(graph, x)
    plain, repaired = (loss_of(drafted(g, x), gauge) for g in (graph, equalised(graph, gauge.choosing).graph))
    assert repaired.sqnr_db > plain.sqnr_db + 3


def clipped() -> Draft:
    """Weights of one layer are cut at a third of the largest: its output shifts."""
    graph = conv_net()
    draft = drafted(graph, pictures(64))
    weight = const(draft.graph.model.graph.initializers["w2"])
    scale = np.abs(weight).max(axis=(1, 2, 3)) / 127 / 3
    return replace(draft, scales={"w2": scale.astype(np.float32)})


def test_bias_correction_takes_a_shift_out() -> None:
    draft = clipped()
    gauge = Gauge(draft.graph, pictures(64))
    corrected, repair = correct(draft, gauge)
    assert repair.kept
    assert repair.layers == ("b1", "b2", "b3", "b4", "bf")
    before, after = loss_of(draft, gauge), loss_of(corrected, gauge)
    assert after.sqnr_db > before.sqnr_db + 1
    assert abs(repair.before.sqnr_db - before.sqnr_db) < 0.3  # the switchboard's order of sums may differ
    assert abs(repair.after.sqnr_db - after.sqnr_db) < 0.3


def test_each_bias_is_corrected_behind_those_before_it() -> None:
    """Of the corrected net, whatever its layers read, no channel's mean is off: biases on their grid, and sums in another order."""
    draft = clipped()
    gauge = Gauge(draft.graph, pictures(64))
    corrected, _ = correct(draft, gauge)
    layers = {"c1": "c1", "c2": "c2", "c3": "c3", "c4": "c4", "l": "l__raw"}
    real = evaluate(draft.base, gauge.choosing, list(layers))
    before, after = (evaluate(insert(d.graph, d.quantization), gauge.choosing, list(layers.values())) for d in (draft, corrected))
    for name, raw in layers.items():
        axes = tuple(a for a in range(real[name].ndim) if a != 1)
        moved, left = (np.abs((got[raw] - real[name]).mean(axes)).max() for got in (before, after))
        assert left < 0.02 * max(moved, 0.1 * real[name].std()), name


def test_correction_is_taken_back_where_it_does_not_help() -> None:
    """Of a net that loses nothing there is nothing to gain: 16 bits stand for no rounding at all."""
    graph = conv_net()
    draft = drafted(graph, pictures())
    kept, repair = correct(replace(draft, points=replace(draft.points, groups=(), weights=(), layers=())), Gauge(graph, pictures()))
    assert not repair.kept
    assert kept.graph is draft.graph


def test_adaptive_rounding_beats_the_nearest() -> None:
    """Inputs that go together: errors of their weights must cancel, which the nearest rounding leaves to chance."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((1, 6, 4096))
    x = np.repeat(base, 4, 1) + 0.1 * rng.standard_normal((1, 24, 4096))
    rows = rng.standard_normal((1, 8, 24))
    scale = np.abs(rows).max(2, keepdims=True) / 7  # 4 bits
    xx = x @ x.swapaxes(1, 2) / 4096
    got = round_rows(rows, scale, Moments(xx, rows @ xx, np.zeros((1, 24)), np.zeros((1, 8))), 7)
    nearest = scale * np.rint(rows / scale)
    errors = [float((((w - rows) @ x) ** 2).mean()) for w in (got, nearest)]
    assert errors[0] < 0.5 * errors[1]
    steps = got / scale
    assert np.abs(steps - np.rint(steps)).max() < 1e-9
    assert np.abs(got - rows).max() < scale.max() * 1.0001  # up or down, never further


def coarse(graph, samples) -> Draft:
    """Weights of 5 bits, so that rounding them is what costs."""
    draft = drafted(graph, samples)
    how = draft.quantization.constants
    names = [w.weight for w in draft.points.weights]
    return replace(draft, scales={name: how[name].scale * np.float32(127 / 15) for name in names})


def rounded_anew(draft, gauge):
    return adaround(draft, gauge, candidates(draft, gauge, thorough=False), 0)


def test_adaptive_rounding_helps_a_net_and_stays_on_the_grid() -> None:
    graph = conv_net()
    draft, gauge = coarse(graph, pictures(64)), Gauge(graph, pictures(64))
    rounded, repair = rounded_anew(draft, gauge)
    assert repair.kept
    assert loss_of(rounded, gauge).sqnr_db > loss_of(draft, gauge).sqnr_db + 1
    plain, found = strip(insert(rounded.graph, rounded.quantization))
    changed = 0
    for w in draft.points.weights:
        new, old = (const(g.model.graph.initializers[w.weight]) for g in (rounded.graph, draft.graph))
        assert np.allclose(found.constants[w.weight].scale, draft.quantization.constants[w.weight].scale)
        if w.layer in repair.layers:
            stored = found.constants[w.weight].quantize(new)
            assert np.array_equal(stored, found.constants[w.weight].quantize(const(plain.model.graph.initializers[w.weight])))
            assert np.abs(found.constants[w.weight].dequantize(stored) - new).max() < 1e-6  # on the grid, to float32
            changed += int((stored != found.constants[w.weight].quantize(old)).sum())
    assert changed > 0


def test_a_layer_of_many_inputs_is_rounded_anew_only_if_asked() -> None:
    rng = np.random.default_rng(0)
    weights = {"v": rng.standard_normal((8, 6000)), "w": rng.standard_normal((4, 8))}
    text = "g (float[N,6000] x) => (float[N,4] y) { h = Gemm <transB = 1> (x, v) y = Gemm <transB = 1> (h, w) }"
    graph, x = graph_from_text(text, weights), {"x": rng.standard_normal((8, 6000)).astype(np.float32)}
    draft, gauge = drafted(graph, x), Gauge(graph, x)
    assert [p.layer for p in candidates(draft, gauge, thorough=True)] == ["h", "y"]
    assert [p.layer for p in candidates(draft, gauge, thorough=False)] == ["y"]


def test_what_takes_long_to_judge_is_rounded_anew_only_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = conv_net()
    draft, gauge = drafted(graph, pictures(16)), Gauge(graph, pictures(16))
    assert candidates(draft, gauge, thorough=False)
    monkeypatch.setattr(rounding, "JUDGING", 1e-9)
    assert candidates(draft, gauge, thorough=False) == []
    assert len(candidates(draft, gauge, thorough=True)) == len(draft.points.weights)


@pytest.mark.parametrize("repair", [correct, rounded_anew])
def test_the_same_every_time(repair) -> None:
    results = []
    for _ in range(2):
        graph = conv_net()
        draft, _ = repair(coarse(graph, pictures(16)), Gauge(graph, pictures(16)))
        results.append({name: const(v) for name, v in draft.graph.model.graph.initializers.items()})
    for name, array in results[0].items():
        # onnxruntime's threads may add in another order, 1e-6 of a bias; nothing else may differ
        assert np.allclose(array, results[1][name], atol=1e-5), name


@pytest.mark.parametrize(
    "attrs", ["pads = [1,1,1,1]", "pads = [0,1,2,1], strides = [2,1]", "dilations = [2,2], pads = [2,2,2,2]", "group = 2", "group = 4"]
)
def test_rows_times_columns_are_the_convolution(attrs: str) -> None:
    rng = np.random.default_rng(0)
    group = {"group = 2": 2, "group = 4": 4}.get(attrs, 1)
    w = rng.standard_normal((8, 4 // group, 3, 3)).astype(np.float32)
    graph = graph_from_text(f"g (float[N,4,7,7] x) => (float[N,8,5,5] y) {{ y = Conv <{attrs}> (x, w) }}", {"w": w})
    product = products(graph, Plain().points(graph, {}, set()).weights)[0]
    x = rng.standard_normal((3, 4, 7, 7)).astype(np.float32)
    y = product.results(evaluate(graph, {"x": x})["y"])
    columns = product.columns(x)
    got = np.einsum("gok,gknp->gonp", product.rows(w), columns)
    assert got.shape == y.shape
    assert np.abs(got - y).max() < 1e-4  # float sums
    assert np.array_equal(product.weight_of(product.rows(w), w.shape), w)
    assert patches(x, product.node).shape[0] == 4


@pytest.mark.parametrize("trans", [0, 1])
def test_rows_times_columns_are_the_product(trans: int) -> None:
    rng = np.random.default_rng(0)
    w = rng.standard_normal((6, 4) if trans else (4, 6)).astype(np.float32)
    graph = graph_from_text(f"g (float[N,4] x) => (float[N,6] y) {{ y = Gemm <transB = {trans}> (x, w) }}", {"w": w})
    product: Product = products(graph, Plain().points(graph, {}, set()).weights)[0]
    x = rng.standard_normal((3, 4)).astype(np.float32)
    got = np.einsum("gok,gknp->gonp", product.rows(w), product.columns(x))
    assert np.abs(got - product.results(evaluate(graph, {"x": x})["y"])).max() < 1e-5
    assert np.array_equal(product.weight_of(product.rows(w), w.shape), w)
