"""The finished Graph of a quantized source: what its integers stand for, none of them made anew."""

import numpy as np

from exporter.building.stages import finished_graph
from exporter.graph import Graph
from exporter.graph.carry import carry
from exporter.graph.qdq import Affine, Quantization, affine, insert
from exporter.graph.strip import strip
from tests.graphs import graph_from_text

TEXT = "g (float[N,3,4,4] x) => (float[N,2,4,4] y) { c = Conv (x, w)  m = Mul (c, s)  y = Add (m, t) }"
INITS = {"w": np.arange(6.0).reshape(2, 3, 1, 1), "s": np.array([[[0.5]], [[2.0]]]), "t": np.array([[[1.0]], [[-1.0]]])}


def finished(rounding: Quantization) -> tuple[Graph, Quantization, list[str]]:
    raw = insert(graph_from_text(TEXT, INITS), rounding)
    graph, steps = finished_graph(raw)
    return graph, carry(strip(raw)[1], graph, strip(raw)[0]), [step["pass"] for step in steps]


def test_integers_that_folding_would_change_are_left_alone() -> None:
    weight = Affine(np.full(2, 0.05, np.float32), np.zeros(2, np.int8), 0)
    rounding = Quantization({"x": affine(0.1, 0), "c": affine(0.2, 3), "m": affine(0.2, 3)}, {}, {"w": weight, "s": affine(0.02, 0)})
    graph, kept, passes = finished(rounding)
    assert [n.op_type for n in graph.nodes] == ["Conv", "Mul", "Add"]
    assert kept.values.keys() == rounding.values.keys()
    assert kept.constants.keys() == rounding.constants.keys()
    assert passes == ["clean"]


def test_without_integers_scales_are_folded() -> None:
    graph, steps = finished_graph(graph_from_text(TEXT, INITS))
    assert [n.op_type for n in graph.nodes] == ["Conv"]
    assert [step["pass"] for step in steps] == ["clean", "fold"]
