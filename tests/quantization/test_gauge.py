"""Samples that measure: few of a big net, some to choose by, others to confirm with."""

import numpy as np
import pytest

from exporter.graph.evaluate import evaluate
from exporter.quantization.gauge import Gauge, spread
from exporter.quantization.measure import halves
from exporter.quantization.quantize import quantize
from exporter.quantization.settings import QuantizeSettings
from tests.quantization.nets import Plain, calibration_of, conv_net, pictures


def test_few_samples_are_spread_over_all() -> None:
    """Data in class folders come class by class: the first few would show one class."""
    few = spread({"x": np.arange(48)}, 4)["x"]
    assert few.tolist() == [0, 15, 31, 47]


def test_samples_are_split_in_two() -> None:
    even, odd = halves({"x": np.arange(5)})
    assert (even["x"].tolist(), odd["x"].tolist()) == ([0, 2, 4], [1, 3])
    assert halves({"x": np.arange(1)})[1]["x"].tolist() == [0]


def test_of_a_big_net_a_few_samples_choose_and_all_others_judge_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.quantization.gauge.RUNS", float("inf"))
    graph, x = conv_net(spread=1.5), pictures(50)
    gauge = Gauge(graph, x)
    even, odd = (part["x"] for part in halves(x))
    assert [len(part["x"]) for part in (gauge.choosing, gauge.confirming, gauge.samples)] == [8, 8, 16]
    for few, half in ((gauge.choosing, even), (gauge.confirming, odd)):
        assert all((half == sample).all(axis=(1, 2, 3)).any() for sample in few["x"])
    rounded = quantize(calibration_of(graph, x), Plain(), QuantizeSettings(calibrator="minmax", repair="none")).graph
    want, got = (evaluate(g, {"x": odd}, gauge.values) for g in (graph, rounded))
    assert gauge.judge_graph(rounded).noise == pytest.approx(gauge.judged(want, got).noise, rel=1e-5)
    assert gauge.judge_graph(rounded).noise != gauge.confirm_graph(rounded).noise


def test_of_a_big_net_with_clips_all_that_chose_nothing_judge_the_two_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.quantization.gauge.RUNS", float("inf"))
    graph, x = conv_net(activation="Clip", spread=1.5), pictures(50)
    result, gauge = quantize(calibration_of(graph, x), Plain(), QuantizeSettings()), Gauge(graph, x)
    repair = next(r for r in result.report.repairs if r.name == "equalise")
    said = repair.after if repair.kept else repair.before
    assert said.noise == pytest.approx(gauge.judge_graph(result.graph).noise, rel=1e-5)
    assert said.noise != pytest.approx(gauge.confirm_graph(result.graph).noise, rel=1e-5)
