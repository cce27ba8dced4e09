"""Budgets, widths on the step, what is skipped and what is refused."""

from itertools import pairwise

import numpy as np
import onnx_ir as ir
import pytest

from exporter.channels.classes import channels_of
from exporter.cost.count import totals
from exporter.errors import LimitError, UsageError
from exporter.graph import Graph, const
from exporter.pruning.plan import Plan, schedules_of
from exporter.pruning.proof import require_exact
from exporter.pruning.scores import by, class_scores, l1
from exporter.pruning.widths import LOWEST, Budget, Measure, Scope, ladder_of, plan_of
from tests.graphs import graph_from_text, random_inputs
from tests.pruning.cut import EXACT, weights


def net(width: int = 64, seed: int = 0) -> Graph:
    """Six layers, one residual, one depthwise, one dense."""
    w = width
    return graph_from_text(
        f"""g (float[N,3,8,8] x) => (float[N,10] y) {{
            a = Conv <pads = [1, 1, 1, 1]> (x, wa) ra = Relu (a)
            b = Conv <pads = [1, 1, 1, 1]> (ra, wb) rb = Relu (b)
            d = Conv <pads = [1, 1, 1, 1], group = {2 * w}> (rb, wd)
            c = Conv (d, wc) s = Add (ra, c) rs = Relu (s)
            e = Conv (rs, we) p = GlobalAveragePool (e) f = Flatten (p)
            y = Gemm <transB = 1> (f, wy)
        }}""",
        weights(seed, wa=(w, 3, 3, 3), wb=(2 * w, w, 3, 3), wd=(2 * w, 1, 3, 3), wc=(w, 2 * w, 1, 1), we=(4 * w, w, 1, 1), wy=(10, 4 * w)),
    )


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("measure", list(Measure))
@pytest.mark.parametrize("share", [0.75, 0.5, 0.3])
def test_a_budget_is_used_up_and_never_passed(scope: Scope, measure: Measure, share: float):
    graph = net()
    plan = plan_of(graph, Budget(measure, share), scope=scope)
    pruned = plan.apply()
    assert totals(pruned) == plan.cost
    got = measure.of(totals(pruned)) / measure.of(totals(graph))
    assert LOWEST * share <= got <= share
    require_exact(graph, pruned, plan.removed, random_inputs(graph, samples=2), EXACT)


@pytest.mark.parametrize("channel_step", [8, 16])
def test_widths_are_on_the_step(channel_step: int):
    plan = plan_of(net(), Budget(Measure.MACS, 0.5), channel_step=channel_step, scope=Scope.LOCAL)
    widths = {name: len(plan.kept[name]) for name in "abcde"}
    assert all(w % channel_step == 0 for w in widths.values()), widths
    assert widths["a"] == widths["c"] < 64


def test_local_keeps_one_share_and_global_what_matters():
    graph = net()
    value = graph.model.graph.initializers["we"]
    array = np.array(const(value))
    array[:128] *= 0.01  # half of e hardly matters
    value.const_value = ir.tensor(array, name="we")
    budget = Budget(Measure.MACS, 0.6)
    local, wide = (plan_of(graph, budget, scope=scope, scorer=by(l1)) for scope in (Scope.LOCAL, Scope.GLOBAL))
    shares = {name: len(local.kept[name]) / local.channels.layers[name].rows for name in "abce"}
    assert max(shares.values()) - min(shares.values()) <= 0.25  # two stops of 8 of the narrowest width, 64
    assert (wide.removed["e"] < 128).all()
    assert len(wide.kept["e"]) < len(local.kept["e"])


def test_residual_streams_keep_more():
    graph = net()
    channels = channels_of(graph)
    schedules = schedules_of(channels, class_scores(channels, l1))
    assert {one.block.layers: one.block.summed for one in schedules} == {("a", "c"): True, ("b",): False, ("e",): False}
    some, less = (plan_of(graph, Budget(Measure.MACS, share), scope=Scope.INNER) for share in (0.5, 0.25))
    assert [len(some.kept[name]) for name in "ac"] == [64, 64]
    assert len(some.kept["b"]) < 128
    assert len(some.kept["e"]) < 256
    assert len(less.kept["a"]) == len(less.kept["c"]) < 64
    assert len(less.kept["a"]) / 64 - len(less.kept["b"]) / 128 >= 0.4


def test_without_sums_streams_make_no_difference():
    text = "g (float[N,3,8,8] x) => (float[N,10] y) { a = Conv (x, wa) b = Conv (a, wb) f = Flatten (b) y = Gemm (f, wy) }"
    channels = channels_of(graph_from_text(text, weights(0, wa=(24, 3, 1, 1), wb=(1000, 24, 1, 1), wy=(1000 * 64, 10))))
    schedules = schedules_of(channels, class_scores(channels, l1), channel_step=1)
    inner, local = (ladder_of(schedules, scope) for scope in (Scope.INNER, Scope.LOCAL))
    assert inner[: len(local)] == local
    assert set(inner[len(local) :]) == {local[-1]}


def test_a_bias_is_no_residual_stream():
    text = "g (float[N,3,8,8] x) => (float[N,10] y) { a = Conv (x, wa) b = Add (a, s) f = Flatten (b) y = Gemm (f, wy) }"
    graph = graph_from_text(text, weights(0, wa=(32, 3, 1, 1), s=(32, 1, 1), wy=(32 * 64, 10)))
    assert not channels_of(graph).summed.any()


def test_schedules_only_go_down_and_leave_a_quarter():
    channels = channels_of(net())
    for one in schedules_of(channels, class_scores(channels, l1)):
        assert all(b > a for a, b in pairwise(one.stops))
        assert (np.diff(one.scores) >= 0).all()
        assert (one.widths[-1] >= np.minimum(8, one.widths[0] / 4)).all()
        assert (one.widths[list(one.stops)] % 8 == 0).all()


def test_the_least_important_go_first():
    channels = channels_of(net())
    scores = class_scores(channels, l1)
    schedules = schedules_of(channels, scores)
    plan = Plan(channels, schedules, tuple(s.stops[1] for s in schedules))
    made = channels.made(channels.layers["e"])
    assert made is not None
    gone, kept = scores[made][plan.removed["e"]], scores[made][plan.kept["e"]]
    assert gone.max() <= kept.min()


def test_skipped_layers_keep_their_width():
    plan = plan_of(net(), Budget(Measure.MACS, 0.7), skip=["b"])
    assert len(plan.kept["b"]) == len(plan.kept["d"]) == 128


@pytest.mark.parametrize("scope", list(Scope))
def test_without_anything_to_remove_all_stays(scope: Scope):
    graph = graph_from_text("g (float[N,3,8,8] x) => (float[N,4,8,8] y) { y = Conv (x, w) }", weights(0, w=(4, 3, 1, 1)))
    plan = plan_of(graph, Budget(Measure.MACS, 1.0), scope=scope)
    assert not plan.removed
    with pytest.raises(LimitError):
        plan_of(graph, Budget(Measure.MACS, 0.5), scope=scope)


def test_what_cannot_be_had_is_refused():
    with pytest.raises(LimitError, match=r"macs 0.001: the narrowest widths leave 0\.\d\d"):
        plan_of(net(), Budget(Measure.MACS, 0.001))
    with pytest.raises(UsageError, match="no layer named q"):
        plan_of(net(), Budget(Measure.MACS, 0.5), skip=["q"])
    with pytest.raises(UsageError, match="a share above 0 and up to 1 is needed"):
        Budget(Measure.MACS, 0)
