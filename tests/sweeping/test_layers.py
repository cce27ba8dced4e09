"""Layers taken out of a Graph at another width: the right shapes, and the same work at their own."""

import numpy as np
import pytest

from exporter.cost.count import layer_costs, totals
from exporter.errors import UsageError
from exporter.graph import Graph, shape_of
from exporter.graph.evaluate import evaluate
from exporter.sweeping.layers import distinct, site_named, sites_of
from tests.graphs import graph_from_text, random_inputs
from tests.pruning.cut import weights


def net() -> Graph:
    """Two equal convolutions, a strided one, a depthwise, a grouped, a transposed one and a product."""
    return graph_from_text(
        """g (float[N,8,8,8] x) => (float[N,10] y) {
            a = Conv <pads = [1, 1, 1, 1]> (x, wa, ba) ra = Relu (a)
            b = Conv <pads = [1, 1, 1, 1]> (ra, wb, bb) rb = Relu (b)
            s = Conv <strides = [2, 2]> (rb, ws) cs = Clip (s, low, high)
            d = Conv <pads = [1, 1, 1, 1], group = 12> (cs, wd)
            e = Conv <group = 2> (d, we)
            t = ConvTranspose <strides = [2, 2]> (e, wt) ht = HardSwish (t)
            p = GlobalAveragePool (ht) f = Flatten (p)
            y = Gemm <transB = 1> (f, wy, by)
        }""",
        {
            **weights(0, wa=(8, 8, 3, 3), ba=(8,), wb=(8, 8, 3, 3), bb=(8,), ws=(12, 8, 1, 1), wd=(12, 1, 3, 3), we=(12, 6, 1, 1),
                      wt=(12, 9, 2, 2), wy=(10, 9), by=(10,)),
            "low": np.float32(0), "high": np.float32(6),
        },
    )  # fmt: skip


def test_layers_are_those_with_free_widths():
    sites = sites_of(net())
    assert list(sites) == ["a", "b", "s", "d", "t", "y"]
    assert {name: s.activation.op_type if s.activation else None for name, s in sites.items()} == {
        "a": "Relu", "b": "Relu", "s": "Clip", "d": None, "t": "HardSwish", "y": None,
    }  # fmt: skip


def test_equal_work_is_timed_once():
    assert [(s.name, s.also) for s in distinct(net())] == [("a", ("b",)), ("s", ()), ("d", ()), ("t", ()), ("y", ())]


@pytest.mark.parametrize("name", ["a", "s", "d", "t", "y"])
@pytest.mark.parametrize("last", [False, True])
def test_alone_at_its_own_width_it_is_the_same_work(name: str, last: bool):
    graph = net()
    site = site_named(graph, name)
    alone = site.alone(site.layer.rows, channels_last=last)
    own = next(c for c in layer_costs(graph) if c.name == name)
    assert totals(alone).macs == own.macs
    assert shape_of(alone.model.graph.inputs[0]) == own.shape_in
    assert shape_of(alone.model.graph.outputs[0]) == own.shape_out
    assert [n.op_type for n in alone.nodes] == [own.op, *([site.activation.op_type] if site.activation else [])]


@pytest.mark.parametrize(
    ("name", "shape"), [("a", (1, 5, 8, 8)), ("s", (1, 5, 4, 4)), ("d", (1, 5, 4, 4)), ("t", (1, 5, 8, 8)), ("y", (1, 5))]
)
def test_alone_at_another_width_it_runs(name: str, shape: tuple[int, ...]):
    alone = site_named(net(), name).alone(5)
    found = next(iter(evaluate(alone, random_inputs(alone)).values()))
    assert found.shape == shape
    assert np.isfinite(found).all()
    assert found.std() > 0.01


def test_names_that_cannot_be_tried():
    with pytest.raises(UsageError, match="unknown layer: q"):
        site_named(net(), "q")
    with pytest.raises(UsageError, match="width of this Conv cannot be tried: its channels are grouped"):
        site_named(net(), "e")
    with pytest.raises(UsageError, match="width of this Relu cannot be tried: it has no weights"):
        site_named(net(), "ra")
