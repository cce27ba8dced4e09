"""A budget of time, by real engines: what is asserted is what was chosen and how it was measured, never a time."""

from itertools import pairwise

import pytest

from exporter.compression.ascent import SURE_PAIRS, SURE_PROCESS_PAIRS
from exporter.compression.latency import plan_of_latency, single_steps
from exporter.cost.count import totals
from exporter.errors import LimitError, UsageError
from exporter.graph import Graph
from exporter.pruning.scores import by, l1
from exporter.pruning.widths import DEFAULT, Scope, ladder_of, ways
from tests.graphs import graph_from_text
from tests.pruning.cut import weights


def net(width: int = 64) -> Graph:
    """Three convolutions, heavy enough to be timed."""
    w = width
    return graph_from_text(
        """g (float[N,3,24,24] x) => (float[N,10] y) {
            a = Conv <pads = [1, 1, 1, 1]> (x, wa) ra = Relu (a)
            b = Conv <pads = [1, 1, 1, 1]> (ra, wb) rb = Relu (b)
            c = Conv <pads = [1, 1, 1, 1]> (rb, wc) p = GlobalAveragePool (c) f = Flatten (p)
            y = Gemm <transB = 1> (f, wy)
        }""",
        weights(0, wa=(w, 3, 3, 3), wb=(2 * w, w, 3, 3), wc=(w, 2 * w, 3, 3), wy=(10, w)),
    )


SLOW = pytest.mark.slow


@pytest.mark.parametrize("format", ["onnx", pytest.param("tflite", marks=SLOW), pytest.param("ncnn", marks=SLOW)])
def test_a_budget_of_time_is_measured_on_the_files(format: str):
    graph, told = net(), list[int]()
    plan, found = plan_of_latency(graph, 0.6, format, scorer=by(l1), scope=Scope.LOCAL, channel_step=8, skip=["a"], tick=told.append)
    assert plan.cost.macs < totals(graph).macs
    assert len(plan.kept["a"]) == 64
    assert all(len(kept) % 8 == 0 for name, kept in plan.kept.items() if name != "y")
    assert len(found.a_ms) == len(found.b_cpu_ms) == SURE_PAIRS
    assert found.process_pairs == SURE_PROCESS_PAIRS
    assert told == sorted(told)
    assert told[-1] >= SURE_PAIRS


def test_what_cannot_be_had_is_refused():
    with pytest.raises(UsageError, match=r"latency 1\.5: a share above 0 and up to 1 is needed"):
        plan_of_latency(net(), 1.5, "onnx")
    with pytest.raises(LimitError, match=r"latency 0\.001: the narrowest widths take 0\.\d+ of the time in onnx") as problem:
        plan_of_latency(net(), 0.001, "onnx")
    assert problem.value.hint is not None
    assert "smaller channel step than 8" in problem.value.hint
    with pytest.raises(UsageError, match="no layer named q"):
        plan_of_latency(net(), 0.5, "onnx", skip=["q"])
    with pytest.raises(UsageError, match="unknown format: tflit"):
        plan_of_latency(net(), 0.5, "tflit")


@pytest.mark.parametrize("scope", list(Scope))
def test_the_way_down_changes_one_width_at_a_time(scope: Scope):
    _, schedules = ways(net(), DEFAULT, 8, ())
    ladder = ladder_of(schedules, scope)
    fine = single_steps(ladder, schedules)
    assert fine[0] == (0,) * len(schedules)
    assert set(ladder) <= set(fine)
    assert len(fine) == 1 + sum(len(s.stops) - 1 for s in schedules)
    for above, below in pairwise(fine):
        assert sum(a != b for a, b in zip(above, below, strict=True)) == 1
