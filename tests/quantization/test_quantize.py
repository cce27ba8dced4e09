"""From a calibrated Graph to one with pairs: choices, reports, mixed precision."""

import json
from dataclasses import replace

import numpy as np
import pytest

from exporter.errors import UsageError
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import insert
from exporter.quantization import adaround
from exporter.quantization.calibrators import CALIBRATORS
from exporter.quantization.choose import Search, by_calibrator
from exporter.quantization.draft import begin, regroup
from exporter.quantization.effort import CONVERSION, INT8, conversions, effort
from exporter.quantization.gauge import Gauge
from exporter.quantization.layers import layer_report
from exporter.quantization.measure import Tail, loss, tails
from exporter.quantization.mixed import SAVES_NOTHING
from exporter.quantization.quantize import ASKED, EQUALISED_DB, Quantizer, quantize
from exporter.quantization.sensitivity import macs_of, sensitivity
from exporter.quantization.settings import REPAIRS, QuantizeSettings
from tests.graphs import graph_from_text
from tests.quantization.nets import Plain, calibration_of, conv_net, pictures

QUICK = QuantizeSettings(calibrator="minmax", repair="none")


@pytest.fixture(scope="module")
def calibration():
    return calibration_of(conv_net(), pictures(48))


def test_one_calibrator_and_no_repair_measures_nothing(calibration) -> None:
    result = quantize(calibration, Plain(), QUICK)
    report = result.report
    assert (report.loss, report.repairs, report.evaluations) == (None, (), 0)
    assert set(report.calibrators) == {"x", "a1", "a2", "c3", "a4", "s", "f", "l"}
    assert set(report.calibrators.values()) == {"minmax"}
    assert result.ranges["c3"] == calibration.statistics.values["c3"].seen
    assert (report.pairs, report.layers) == (8, 6)
    assert sum(n.op_type == "QuantizeLinear" for n in result.graph.nodes) == 8
    assert [n.op_type for n in calibration.graph.nodes].count("QuantizeLinear") == 0


def test_auto_loses_no_more_than_any_single_calibrator() -> None:
    """Rare large numbers: a hundredth of the pictures is ten times as bright."""
    x = pictures(64)
    x["x"][[10, 40]] *= 10
    calibration = calibration_of(conv_net(), x)
    gauge = Gauge(calibration.graph, x)
    draft = begin(calibration.graph, calibration.statistics, Plain(), frozenset())
    search = Search(draft, gauge)
    choice, repair = search.best()

    def quality(ranges) -> float:
        feeds = search.board.feeds(draft.with_ranges(ranges).quantization)
        return (gauge.choose(search.board, feeds).quality_db + gauge.confirm(search.board, feeds).quality_db) / 2

    single = {name: quality(by_calibrator(name, draft).ranges) for name in CALIBRATORS}
    # the biases of the search have the steps of other ranges: far below the activations'
    assert quality(choice.ranges) > max(single.values()) - 0.1
    assert max(single.values()) > min(single.values()) + 1
    assert repair.kept == (repair.after.quality_db > repair.before.quality_db)
    assert set(choice.names.values()) <= set(CALIBRATORS)


@pytest.mark.parametrize("repair", ["default", "thorough"])
def test_everything_is_reported_and_fits_json(calibration, repair: str) -> None:
    steps: list[str] = []
    result = quantize(calibration, Plain(), QuantizeSettings(repair=repair), steps.append)
    assert [r.name for r in result.report.repairs] == ["equalise", "calibrators", "correct", "adaround", "narrow"]
    once = ["choosing ranges", "correcting biases", "rounding weights anew", "narrowing scores"]
    assert steps == ["equalising channels", *once]
    assert result.report.evaluations > len(CALIBRATORS)
    facts = json.loads(json.dumps(result.report.as_dict()))
    assert facts["pairs"] == 8
    assert any(repair["kept"] for repair in facts["repairs"])
    assert all(repair["after"]["sqnr_db"] > repair["before"]["sqnr_db"] - 0.5 for repair in facts["repairs"] if repair["kept"])
    gauge = Gauge(calibration.graph, calibration.samples)
    assert abs(gauge.confirm_graph(result.graph).sqnr_db - result.report.loss.sqnr_db) < 0.3  # threads add in another order


def test_equalising_another_net_is_judged_when_all_else_is_done() -> None:
    """Below a Clip it is the same net only for numbers like those seen."""
    clipped, steps = calibration_of(conv_net(activation="Clip", spread=1.5), pictures(48)), list[str]()
    report = quantize(clipped, Plain(), QuantizeSettings(), steps.append).report
    assert steps.count("choosing ranges") == 2
    equalised = report.repairs[0]
    assert equalised.name == "equalise"
    assert equalised.kept == (equalised.after.quality_db > equalised.before.quality_db + EQUALISED_DB)
    ended = equalised.after if equalised.kept else equalised.before
    assert abs(ended.sqnr_db - report.loss.sqnr_db) < 0.3  # threads add in another order


def test_an_equalised_net_that_begins_far_worse_is_not_tried(calibration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.quantization.quantize.LATER_DB", -100.0)
    steps: list[str] = []
    report = quantize(calibration, Plain(), QuantizeSettings(), steps.append).report
    assert (report.repairs[0].name, report.repairs[0].kept) == ("equalise", False)
    assert "equalising channels" not in steps


def test_layers_go_back_to_float_before_weights_are_rounded_for_what_is_around_them(calibration) -> None:
    """Weights rounded for a net in integers throughout do not fit one that is float in parts: a limit was then held by floats alone."""
    gauge, steps = Gauge(calibration.graph, calibration.samples), list[str]()
    asked = gauge.choose_graph(quantize(calibration, Plain(), QuantizeSettings()).graph).sqnr_db + 5
    held = quantize(calibration, Plain(), QuantizeSettings(precision="mixed", min_sqnr_db=asked), steps.append)
    assert steps.index("choosing layers that stay float") < steps.index("rounding weights anew")
    assert held.report.layers > 0
    assert held.report.kept_float
    assert gauge.choose_graph(held.graph).sqnr_db >= asked - 0.5


@pytest.mark.parametrize(("exact_db", "rounded"), [(0.0, True), (1e3, False)])
def test_mixed_precision_equalises_only_what_stays_exact(monkeypatch: pytest.MonkeyPatch, exact_db: float, rounded: bool) -> None:
    """Clips that other samples reach make the float net itself another one; layers in float could not mend that."""
    monkeypatch.setattr("exporter.quantization.quantize.EXACT_DB", exact_db)
    clipped = calibration_of(conv_net(activation="Clip", spread=1.5), pictures(48))
    reports = (quantize(clipped, Plain(), QuantizeSettings(precision=p)).report for p in ("int8", "mixed"))
    whole, mixed = (next(r for r in report.repairs if r.name == "equalise") for report in reports)
    assert whole.before.sqnr_db < 60  # of a rounded net
    assert (mixed.before.sqnr_db < 60) == rounded
    if not rounded:  # the float net against itself, and against the equalised one: said, and not tried
        assert not mixed.kept
        assert mixed.after.sqnr_db < mixed.before.sqnr_db == 120


def test_what_takes_long_and_was_not_asked_for_is_said(calibration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaround, "JUDGING", 1e-9)
    reports = {repair: quantize(calibration, Plain(), QuantizeSettings(repair=repair)).report for repair in REPAIRS}
    assert {repair: report.spared for repair, report in reports.items()} == {"none": (), "default": ("adaround",), "thorough": ()}
    assert "adaround" not in [r.name for r in reports["default"].repairs]


def test_the_same_settings_give_the_same_graph(calibration) -> None:
    first, second = (quantize(calibration, Plain(), QuantizeSettings()) for _ in range(2))
    assert first.report.calibrators == second.report.calibrators
    assert [r.kept for r in first.report.repairs] == [r.kept for r in second.report.repairs]
    for name, how in first.draft.quantization.values.items():
        assert np.array_equal(how.scale, second.draft.quantization.values[name].scale)


def test_an_unknown_calibrator_is_refused(calibration) -> None:
    with pytest.raises(UsageError, match="unknown calibrator: minmex"):
        quantize(calibration, Plain(), QuantizeSettings(calibrator="minmex", repair="none"))


def test_layers_asked_for_stay_float(calibration) -> None:
    result = quantize(calibration, Plain(), QuantizeSettings("minmax", "none", keep_float=frozenset({"c1", "l"})))
    assert result.report.kept_float == {"c1": ASKED, "l": ASKED}
    assert "c1" not in result.points.layers
    assert {"w1", "wf"}.isdisjoint(result.draft.quantization.constants)


def test_sensitivity_is_the_loss_of_one_layer_alone(calibration) -> None:
    draft, gauge = begin(calibration.graph, calibration.statistics, Plain(), frozenset()), Gauge(calibration.graph, calibration.samples)
    found = sensitivity(draft, gauge)
    assert sorted(o.layer for o in found) == sorted(draft.points.layers)
    assert [o.loss.noise for o in found] == sorted((o.loss.noise for o in found), reverse=True)
    alone = regroup(draft, Plain(), frozenset(set(draft.points.layers) - {"c2"}))
    want = gauge.choose_graph(insert(alone.graph, alone.quantization))
    got = next(o for o in found if o.layer == "c2")
    assert abs(got.loss.sqnr_db - want.sqnr_db) < 0.3  # as above
    assert got.macs == macs_of(draft.graph)["c2"] == 16 * 9 * 144


def test_a_limit_is_held_by_as_few_layers_as_need_be(calibration) -> None:
    plain = quantize(calibration, Plain(), QuantizeSettings("minmax", "none", "mixed", min_sqnr_db=1.0))
    assert plain.report.kept_float == {}
    gauge = Gauge(calibration.graph, calibration.samples)
    asked = gauge.choose_graph(plain.graph).sqnr_db + 5
    held = quantize(calibration, Plain(), QuantizeSettings("minmax", "none", "mixed", min_sqnr_db=asked))
    assert gauge.choose_graph(held.graph).sqnr_db >= asked - 0.3  # as above
    assert 0 < len(held.report.kept_float) < 6
    assert held.report.sensitivity
    assert all("to hold the limit" in why for why in held.report.kept_float.values())


def test_a_second_limit_gives_what_it_gives_at_once_and_repeats_nothing(calibration) -> None:
    steps: list[str] = []
    asked = QuantizeSettings("minmax", "default", "mixed", min_sqnr_db=1.0)
    quantizer = Quantizer(calibration, Plain(), asked, steps.append)
    first = quantizer.quantized()
    limit = first.report.loss.sqnr_db + 5
    again, fresh = quantizer.quantized(limit), quantize(calibration, Plain(), replace(asked, min_sqnr_db=limit))
    assert first.report.kept_float == {}
    assert list(again.report.kept_float) == list(fresh.report.kept_float) != []
    assert [(r.name, r.kept) for r in again.report.repairs] == [(r.name, r.kept) for r in fresh.report.repairs]
    x = pictures(8, seed=5)
    want, got = (evaluate(q.graph, x)["y"] for q in (fresh, again))
    assert np.abs(want - got).max() < 1e-3 * np.abs(want).max()
    assert [steps.count(s) for s in ("equalising channels", "measuring each layer alone", "choosing layers that stay float")] == [1, 1, 2]


def test_a_limit_beyond_reach_leaves_nothing_in_integers(calibration) -> None:
    result = quantize(calibration, Plain(), QuantizeSettings("minmax", "default", "mixed", min_sqnr_db=119.0))
    assert result.points.layers == ()
    x = pictures(8, seed=5)
    want, got = (evaluate(g, x)["y"] for g in (calibration.graph, result.graph))
    assert np.abs(want - got).max() < 1e-5  # corrected biases are taken back with the rounding that they were for


def ruined() -> object:
    """One cheap layer whose inputs need more than 8 bits: one of its channels is a thousand times the others."""
    rng = np.random.default_rng(0)
    inits = {
        "w1": rng.standard_normal((16, 3, 3, 3)) * np.where(np.arange(16) == 3, 300, 1)[:, None, None, None] / 5,
        "w2": rng.standard_normal((4, 16, 1, 1)) * np.where(np.arange(16) == 3, 1e-3, 1)[None, :, None, None] / 4,
        "w3": rng.standard_normal((64, 4, 5, 5)) / 10, "w4": rng.standard_normal((64, 64, 5, 5)) / 40,
    }  # fmt: skip
    text = """g (float[N,3,12,12] x) => (float[N,64] y) {
      c1 = Conv <pads = [1,1,1,1]> (x, w1)  t = Tanh (c1)  m = Mul (t, c1)  c2 = Conv (m, w2)
      c3 = Conv <pads = [2,2,2,2]> (c2, w3)  c4 = Conv <pads = [2,2,2,2]> (c3, w4)  p = GlobalAveragePool (c4)  y = Flatten (p) }"""
    return graph_from_text(text, inits)


def test_mixed_without_limits_leaves_the_ruined_layer_in_float() -> None:
    calibration = calibration_of(ruined(), pictures(32))
    whole = quantize(calibration, Plain(), QuantizeSettings("minmax", "none"))
    mixed = quantize(calibration, Plain(), QuantizeSettings("minmax", "none", "mixed"))
    gauge = Gauge(calibration.graph, calibration.samples)
    assert "c2" in mixed.report.kept_float
    assert "c4" in mixed.points.layers  # nearly all of the work stays in integers
    assert gauge.confirm_graph(mixed.graph).sqnr_db > gauge.confirm_graph(whole.graph).sqnr_db + 10


def test_layers_that_integers_make_no_quicker_stay_float() -> None:
    """One channel in, one out, no neighbours in integers: converting is all the work."""
    rng = np.random.default_rng(0)
    text = """g (float[N,3,12,12] x) => (float[N,3,12,12] y) {
      s = Sin (x)  c = Conv <group = 3> (s, w)  t = Sin (c)  y = Conv <pads = [3,3,3,3]> (t, v) }"""
    graph = graph_from_text(text, {"w": rng.standard_normal((3, 1, 1, 1)), "v": rng.standard_normal((64, 3, 7, 7))})
    result = quantize(calibration_of(graph, pictures(16)), Plain(), QuantizeSettings("minmax", "none", "mixed"))
    assert result.report.kept_float.get("c") == SAVES_NOTHING
    assert "y" in result.points.layers


def test_effort_counts_products_and_conversions(calibration) -> None:
    graph = calibration.graph
    points = Plain().points(graph, {}, set())
    macs = macs_of(graph)
    assert [v.name for v in conversions(graph, points)] == ["x", "s", "f", "l"]  # a pooling and a Softmax compute in reals
    crossing = 3 * 144 + 16 * 144 + 16 + 10
    assert effort(graph, points) == pytest.approx(INT8 * sum(macs.values()) + CONVERSION * crossing)
    assert effort(graph, Plain().points(graph, {}, set(points.layers))) == sum(macs.values())


def test_layer_report_names_what_is_lost_where(calibration) -> None:
    result = quantize(calibration, Plain(), QUICK)
    found = {layer.layer: layer for layer in layer_report(result, calibration.samples)}
    assert list(found) == list(result.points.layers)
    assert found["c1"].value == "a1"
    assert found["c1"].calibrator == "minmax"
    assert all(20 < layer.sqnr_db < 70 for layer in found.values())
    assert all(layer.saturated == 0 for layer in found.values())  # nothing lies beyond what was seen
    assert found["c3"].seen == calibration.statistics.values["c3"].seen
    step = float(result.draft.quantization.values["c3"].scale)
    assert np.allclose(found["c3"].used, found["c3"].seen, atol=step)
    json.dumps([layer.as_dict() for layer in found.values()])


def test_layer_report_tells_saturation() -> None:
    graph = conv_net()
    calibration = calibration_of(graph, pictures(16))
    result = quantize(calibration, Plain(), QUICK)
    brighter = {"x": pictures(16)["x"] * 4}
    found = layer_report(result, brighter)
    assert all(layer.saturated > 0.001 for layer in found)
    assert found[0].sqnr_db < layer_report(result, pictures(16))[0].sqnr_db - 10


def test_nothing_in_integers_has_no_layers() -> None:
    calibration = calibration_of(conv_net(), pictures(8))
    result = quantize(calibration, Plain(), QuantizeSettings("minmax", "none", keep_float=frozenset({"c1", "c2", "c3", "c4", "s", "l"})))
    assert layer_report(result, calibration.samples) == []


def test_losses_are_measured_before_the_softmax(calibration) -> None:
    assert tails(calibration.graph) == (Tail("l", "Softmax", -1),)
    text = "g (float[N,4] x) => (float[N,4] y, float[N,2,2] z) { s = Sigmoid (x)  y = Identity (s)  z = Reshape (x, k) }"
    graph = graph_from_text(text, {"k": np.array([0, 2, 2])})
    assert tails(graph) == (Tail("x", "Sigmoid"), Tail("z", None))


def test_losses_by_hand() -> None:
    p, q = np.array([[0.7, 0.2, 0.1]]), np.array([[0.2, 0.5, 0.3]])
    found = loss([Tail("l", "Softmax")], {"l": np.log(p)}, {"l": np.log(q)})
    assert found.kl == pytest.approx(float((p * np.log(p / q)).sum()))
    assert found.noise == pytest.approx(float(((np.log(p) - np.log(q)) ** 2).sum() / (np.log(p) ** 2).sum()))
    assert found.agreement == 0
    a, b = np.array([[0.3, -1.0]]), np.array([[0.1, -2.0]])
    pa, pb = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))
    want = float((pa * np.log(pa / pb) + (1 - pa) * np.log((1 - pa) / (1 - pb))).sum())
    assert loss([Tail("l", "Sigmoid")], {"l": a}, {"l": b}).kl == pytest.approx(want)
    assert loss([Tail("l", None)], {"l": a}, {"l": a}).sqnr_db == 120


def test_sensitivity_knows_nothing_of_repairs(calibration) -> None:
    """A corrected bias makes up for layers that are float while one layer is measured alone."""
    gauge = Gauge(calibration.graph, calibration.samples)
    draft = begin(calibration.graph, calibration.statistics, Plain(), frozenset())
    moved = draft.with_constants({"b1": np.ones(16), "bf": np.ones(10)})
    before, after = ({o.layer: o.loss.noise for o in sensitivity(d, gauge)} for d in (draft, moved))
    for layer, noise in before.items():
        assert noise == pytest.approx(after[layer], rel=0.1)  # threads add in another order
