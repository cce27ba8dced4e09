"""Least squares and batch norms estimated anew."""

import numpy as np
import pytest

from exporter.array import Array
from exporter.graph import Graph, const
from exporter.graph.evaluate import evaluate
from exporter.pruning.norms import reestimated
from exporter.pruning.plan import Plan
from exporter.pruning.repair import repair
from exporter.pruning.widths import Budget, Measure, plan_of
from tests.graphs import graph_from_text, random_inputs
from tests.pruning.cut import weights


def net(seed: int = 0) -> Graph:
    """Convolutions with and without bias or batch norm, depthwise, grouped, dense; scaled so that signals stay of size 1."""
    inits = weights(
        seed, wa=(16, 3, 3, 3), ba=(16,), wb=(32, 16, 3, 3), scale=(32,), shift=(32,), mean=(32,), var=(32,), wd=(32, 1, 3, 3), bd=(32,),
        wg=(32, 16, 1, 1), wc=(16, 32, 1, 1), wy=(10, 16 * 16), by=(10,),
    )  # fmt: skip
    inits = {k: v / np.sqrt(v[0].size) if k.startswith("w") else v for k, v in inits.items()}
    return graph_from_text(
        """g (float[N,3,8,8] x) => (float[N,10] y) {
            a = Conv <pads = [1, 1, 1, 1]> (x, wa, ba) ra = Relu (a)
            b = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (ra, wb) n = BatchNormalization (b, scale, shift, mean, var) rb = Relu (n)
            d = Conv <pads = [1, 1, 1, 1], group = 32> (rb, wd, bd) rd = Relu (d)
            g1 = Conv <group = 2> (rd, wg) c = Conv (g1, wc) rc = Relu (c)
            f = Flatten (rc) y = Gemm <transB = 1> (f, wy, by)
        }""",
        inits,
    )


def half(graph: Graph) -> tuple[Plan, Graph]:
    plan = plan_of(graph, Budget(Measure.MACS, 0.5), channel_step=4)
    return plan, plan.apply()


def error(graph: Graph, other: Graph, inputs: dict[str, Array]) -> float:
    """Mean squared difference of outputs over the output's variance."""
    want, got = evaluate(graph, inputs)["y"], evaluate(other, inputs)["y"]
    return float(np.square(want - got).mean() / want.var())


def test_repair_helps_on_samples_that_it_has_not_seen():
    graph = net()
    plan, pruned = half(graph)
    fixed = repair(graph, pruned, plan.kept, random_inputs(graph, seed=1, samples=300))
    unseen = random_inputs(graph, seed=2, samples=100)
    before, after = error(graph, pruned, unseen), error(graph, fixed, unseen)
    assert after < 0.6 * before, (before, after)  # 0.4 was seen; noise has no structure that could be made up for further


def test_repair_leaves_the_pruned_graph_and_its_shapes_alone():
    graph = net()
    plan, pruned = half(graph)
    inputs = random_inputs(graph, seed=1, samples=20)
    before = evaluate(pruned, inputs)["y"]
    fixed = repair(graph, pruned, plan.kept, inputs)
    np.testing.assert_array_equal(evaluate(pruned, inputs)["y"], before)
    assert {n: v.const_value.shape for n, v in fixed.model.graph.initializers.items() if v.const_value is not None} == {
        n: v.const_value.shape for n, v in pruned.model.graph.initializers.items() if v.const_value is not None
    }


@pytest.mark.parametrize("kind", ["conv", "depthwise", "dense"])
def test_a_redundant_channel_is_made_up_for_exactly(kind: str):
    """Half of a's channels are copies of the others: without them nothing is lost that least squares cannot bring back."""
    random = np.random.default_rng(0)
    wa = random.normal(size=(8, 3, 3, 3)) / 5
    wd, bd = random.normal(size=(8, 1, 3, 3)), random.normal(size=8)
    inits = {"wa": np.concatenate([wa, 0.5 * wa]), "wd": np.concatenate([wd, wd]), "bd": np.concatenate([bd, 0.5 * bd])}
    last = {
        "conv": ("y = Conv <pads = [1, 1, 1, 1]> (r, wy)", (5, 16, 3, 3), "float[N,5,8,8] y"),
        "depthwise": ("d = Conv <group = 16> (r, wd, bd) y = Conv (d, wy)", (5, 16, 1, 1), "float[N,5,6,6] y"),
        "dense": ("f = Flatten (r) y = Gemm <transB = 1> (f, wy)", (5, 16 * 64), "float[N,5] y"),
    }[kind]
    inits["wy"] = random.normal(size=last[1])
    used = {k: v for k, v in inits.items() if k in last[0] or k == "wa"}
    graph = graph_from_text(
        f"g (float[N,3,8,8] x) => ({last[2]}) {{ a = Conv <pads = [1, 1, 1, 1]> (x, wa) r = Relu (a) {last[0]} }}", used
    )
    plan = plan_of(graph, Budget(Measure.MACS, 0.6), channel_step=8)
    assert plan.kept["a"].tolist() == list(range(8))
    pruned = plan.apply()
    fixed = repair(graph, pruned, plan.kept, random_inputs(graph, seed=1, samples=600), ridge=1e-9)
    unseen = random_inputs(graph, seed=2, samples=50)
    assert error(graph, pruned, unseen) > 0.05
    assert error(graph, fixed, unseen) < 1e-6  # float32 sums


def test_layers_before_the_first_cut_stay():
    graph = net()
    plan, pruned = half(graph)
    fixed = repair(graph, pruned, plan.kept, random_inputs(graph, samples=20))
    first = (const(g.model.graph.initializers["wa"]) for g in (pruned, fixed))
    np.testing.assert_array_equal(*first)


def test_batch_norms_fit_what_they_read():
    graph = net()
    inputs = random_inputs(graph, seed=3, samples=64)
    fitted = reestimated(graph, inputs, batch=64)
    read = evaluate(fitted, inputs, ["b"])["b"].astype(np.float64)
    node = next(n for n in fitted.nodes if n.op_type == "BatchNormalization")
    np.testing.assert_allclose(const(node.inputs[3]), read.mean((0, 2, 3)), atol=1e-5)  # float32 means
    np.testing.assert_allclose(const(node.inputs[4]), read.var((0, 2, 3)), rtol=1e-4)


def test_batch_norms_behind_one_another_are_consistent():
    """The second is fitted to what the first, fitted already, gives it."""
    inits = weights(wa=(8, 3, 1, 1), wb=(8, 8, 1, 1), sa=(8,), ta=(8,), ma=(8,), vara=(8,), sb=(8,), tb=(8,), mb=(8,), varb=(8,))
    graph = graph_from_text(
        """g (float[N,3,8,8] x) => (float[N,8,8,8] y) {
            a = Conv (x, wa) na = BatchNormalization (a, sa, ta, ma, vara) r = Relu (na)
            b = Conv (r, wb) y = BatchNormalization (b, sb, tb, mb, varb)
        }""",
        inits,
    )
    inputs = random_inputs(graph, seed=4, samples=64)
    y = evaluate(reestimated(graph, inputs), inputs)["y"].astype(np.float64)
    np.testing.assert_allclose(y.mean((0, 2, 3)), inits["tb"], atol=1e-4)
    np.testing.assert_allclose(y.std((0, 2, 3)), np.abs(inits["sb"]), rtol=1e-3)
