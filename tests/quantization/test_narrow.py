"""Scores rounded to what a final Softmax tells apart: finer steps, nothing that a reader of probabilities could miss."""

import numpy as np
import pytest

from exporter.array import Array
from exporter.formats.points import Group, Points, Scheme
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import insert
from exporter.parity import sqnr_db, told_apart
from exporter.proving.proof import parity, rounding
from exporter.quantization.choose import by_calibrator
from exporter.quantization.draft import Draft, begin
from exporter.quantization.gauge import Gauge
from exporter.quantization.layers import layer_report
from exporter.quantization.narrow import BEHIND, SPARE, narrow, reach, scores, span
from exporter.quantization.quantize import quantize
from exporter.quantization.settings import QuantizeSettings
from tests.graphs import graph_from_text
from tests.quantization.nets import calibration_of, statistics_of


def answers(count: int, seed: int, size: float = 1.0) -> dict[str, Array]:
    """Scores as a trained net gives them: noise, and one class ahead of all others by 0 to 40."""
    rng = np.random.default_rng(seed)
    ahead = rng.uniform(0, 40, (count, 1)) * (np.eye(6)[rng.integers(6, size=count)] - 0.5)
    return {"x": (size * (rng.normal(0, 1.5, (count, 6)) + ahead)).astype(np.float32)}


def classifier() -> Graph:
    """Its scores are its input."""
    text = "g (float[N,6] x) => (float[N,6] y) { l = Gemm <transB = 1> (x, w, b)  y = Softmax (l) }"
    return graph_from_text(text, {"w": np.eye(6), "b": np.zeros(6)})


class Scores:
    """A format that stores the scores alone in integers."""

    def __init__(self, *values: str) -> None:
        self.values = values or ("l",)

    def spell_out(self, graph: Graph) -> None:
        pass

    def points(self, graph: Graph, ranges, keep_float) -> Points:
        return Points(Scheme(), ("l",), (Group(self.values),), ())


def drafted(samples: dict[str, Array], writer: Scores) -> Draft:
    graph = classifier()
    draft = begin(graph, statistics_of(graph, samples), writer, frozenset())
    return draft.with_ranges(by_calibrator("minmax", draft).ranges)


def test_what_must_be_told_apart_by_hand() -> None:
    low, high = span(reach(np.array([[5.0, 1.0, -30.0], [40.0, 2.0, -50.0], [7.0, 6.0, 3.0]])))
    assert low == pytest.approx(5 - BEHIND - SPARE * 0.2 * (7 - 5))  # of the least sure best class; the ninth decile as below
    most = [5, np.log(np.exp(2) + np.exp(-50)) + BEHIND, 7]  # 40 is sure from there on
    assert high == pytest.approx(most[1] + SPARE * 0.2 * (most[1] - 7))  # the ninth decile of three is four fifths between two of them
    assert pytest.approx(2.0**-14) == np.exp(-BEHIND)
    many = np.concatenate([[[9.0]], np.zeros((1, 4096))], 1)  # each below 2^-14 would be a quarter together
    assert span(reach(many))[0] == pytest.approx(9 - np.log(4096 * 1024))
    assert span(reach(np.array([[[[9.0]], [[8.0]]]])))[1] == pytest.approx(9)


def test_answers_come_nearer_where_scores_are_large() -> None:
    few, many = answers(64, 0), answers(2000, 1)
    draft = drafted(few, Scores())
    narrowed, repair = narrow(draft, Gauge(draft.base, few))
    assert (repair.name, repair.kept, repair.layers) == ("narrow", True, ("l",))
    assert repair.after.quality_db > repair.before.quality_db + 2
    steps = [float(d.quantization.values["l"].scale) for d in (draft, narrowed)]
    assert steps[1] < 0.7 * steps[0]
    want, wide, fine = (evaluate(g, many)["y"] for g in (draft.base, *(insert(d.graph, d.quantization) for d in (draft, narrowed))))
    assert sqnr_db(want, fine) > sqnr_db(want, wide) + 2
    unlike = [int(np.sum(got.argmax(1) != want.argmax(1))) for got in (wide, fine)]
    assert unlike[1] < 0.8 * unlike[0]


def test_it_is_taken_back_where_nothing_is_won() -> None:
    few = answers(64, 0, 0.1)  # all scores matter
    draft = drafted(few, Scores())
    same, repair = narrow(draft, Gauge(draft.base, few))
    assert not repair.kept
    assert same is draft


def test_each_sample_is_judged_by_the_range_of_the_others() -> None:
    """One sample with two scores above all others is held by its own range, and would be a tie in theirs."""
    few = answers(64, 0)
    few["x"][5] = [380, 400, 0, 0, 0, 0]
    draft = drafted(few, Scores())
    same, repair = narrow(draft, Gauge(draft.base, few))
    assert not repair.kept
    assert same is draft
    assert repair.after.agreement == repair.before.agreement - 1 / 64
    assert repair.after.kl > repair.before.kl + 0.9 * np.log(2) / 64  # a tie where 20 lie between


def test_scores_that_share_a_scale_with_other_values_are_left_alone() -> None:
    few = answers(8, 0)
    gauge = Gauge(classifier(), few)
    assert scores(drafted(few, Scores()), gauge) == {"l": "l"}
    assert scores(drafted(few, Scores("l", "x")), gauge) == {}


def test_judges_look_at_what_is_told_apart() -> None:
    """A good net would look broken by its raw scores; one that is broken looks so by those that count."""
    graph, few = classifier(), answers(64, 0)
    result = quantize(calibration_of(graph, few), Scores(), QuantizeSettings("minmax"))
    assert [r.name for r in result.report.repairs if r.kept] == ["narrow"]
    real, rounded = (evaluate(g, few, ["l", "y"]) for g in (graph, result.graph))
    raw, read = (judge(graph, real, rounded)["y"].before for judge in (parity, rounding))
    assert raw.sqnr_db < 25 < read.sqnr_db
    (layer,) = layer_report(result, few)
    assert layer.saturated > 0.05
    assert layer.calibrator == "softmax"
    assert layer.sqnr_db == pytest.approx(read.sqnr_db, abs=0.1)
    assert result.report.loss.sqnr_db > 25
    worse = {**rounded, "l": np.where(real["l"] == real["l"].max(1, keepdims=True), 0, rounded["l"])}
    assert rounding(graph, real, worse)["y"].before.sqnr_db < 10


def test_told_apart_by_hand() -> None:
    z = np.array([[0.0, -1.0, -40.0]], np.float32)
    p = np.exp(z) / np.exp(z).sum()
    assert told_apart(z) == pytest.approx(np.array([[*(np.log(p[0, :2]) + BEHIND), 0.0]]), rel=1e-6)
    assert told_apart(z + 100) == pytest.approx(told_apart(z), rel=1e-5)
    assert told_apart(z.reshape(1, 3, 1, 1)).shape == (1, 3)
