"""Quantization said in the Graph, put in and taken out."""

import numpy as np
import onnx_ir as ir
import pytest

from exporter.graph import Graph, Port, const
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import Affine, Edge, Quantization, affine, insert
from exporter.graph.shapes import infer_missing
from exporter.graph.strip import strip

TEXT = """<ir_version: 9, opset_import: ["" : 20]>
g (float[N, 3, 4, 4] x) => (float[N, 2, 4, 4] y)
<float[2, 3, 1, 1] w = {1, 2, 3, 4, 5, 6.4}, float[2] b = {0.5, -0.25}>
{ c = Conv (x, w, b)  r = Relu (c)  a = Sigmoid (r)  y = Mul (r, a) }"""


def make() -> Graph:
    graph = Graph(ir.from_onnx_text(TEXT), (Port("x", "x", (0, 1, 2, 3)),), (Port("y", "y", (0, 1, 2, 3)),), "g")
    infer_missing(graph)
    return graph


def full() -> Quantization:
    weight = Affine(np.array([3 / 127, 6.4 / 127], np.float32), np.zeros(2, np.int8), 0, narrow=True)
    bias = Affine(weight.scale * np.float32(0.05), np.zeros(2, np.int32), 0)
    values = {"x": affine(0.05, 3), "r": affine(0.1, -128), "y": affine(0.1, -128)}
    return Quantization(values, {Edge("r", frozenset({"a"})): affine(0.5, 0)}, {"w": weight, "b": bias})


def test_a_quantized_graph_computes_with_rounded_numbers() -> None:
    """By hand, with the definition of each pair: equal but for the order of float sums (1e-5 of values up to 30)."""
    graph, how = make(), full()
    x = np.random.default_rng(0).uniform(-2, 2, (2, 3, 4, 4)).astype(np.float32)

    def rounded(name: str, v: np.ndarray) -> np.ndarray:
        return how.values[name].dequantize(how.values[name].quantize(v))

    w, b = (how.constants[n].dequantize(how.constants[n].quantize(const(graph.model.graph.initializers[n]))) for n in ("w", "b"))
    c = np.einsum("oi,nihw->nohw", w[:, :, 0, 0], rounded("x", x)) + b[:, None, None]
    r = rounded("r", np.maximum(c, 0))
    edge = how.edges[Edge("r", frozenset({"a"}))]
    y = rounded("y", r / (1 + np.exp(-edge.dequantize(edge.quantize(r)))))
    got = evaluate(insert(graph, how), {"x": x}, ["r", "y"])
    assert np.abs(got["r"] - r).max() < 1e-5
    assert np.abs(got["y"] - y).max() < 1e-5


def test_strip_gives_back_what_was_put_in() -> None:
    graph, how = make(), full()
    quantized = insert(graph, how)
    plain, found = strip(quantized)
    assert [n.op_type for n in plain.nodes] == [n.op_type for n in graph.nodes]
    assert [v.name for n in plain.nodes for v in n.outputs] == [v.name for n in graph.nodes for v in n.outputs]
    for mine, other in ((how.values, found.values), (how.edges, found.edges), (how.constants, found.constants)):
        assert mine.keys() == other.keys()
        for key, a in mine.items():
            b = other[key]
            assert (a.dtype, a.axis) == (b.dtype, b.axis)
            assert np.array_equal(a.scale, b.scale)
            assert np.array_equal(a.zero_point, b.zero_point)
    assert np.abs(const(plain.model.graph.initializers["w"]) - const(graph.model.graph.initializers["w"])).max() <= 6.4 / 254


def test_an_edge_to_the_only_reader_stays_an_edge() -> None:
    how = full()
    edge = Edge("c", frozenset({"r"}))
    both = Quantization({**how.values, "c": affine(0.05, 3)}, {**how.edges, edge: affine(0.1, -4)}, how.constants)
    _, found = strip(insert(make(), both))
    assert found.values["c"].scale == np.float32(0.05)
    assert found.edges[edge].scale == np.float32(0.1)


def test_the_graph_given_stays_as_it_is() -> None:
    graph = make()
    quantized = insert(graph, full())
    assert [n.op_type for n in graph.nodes] == ["Conv", "Relu", "Sigmoid", "Mul"]
    strip(quantized)
    assert sum(n.op_type == "QuantizeLinear" for n in quantized.nodes) == 4
    assert [v.name for v in quantized.model.graph.outputs] == ["y"]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_numbers_out_of_range_go_to_the_ends(dtype: str) -> None:
    how = affine(1.0, 0, dtype)
    low, high = how.limits
    assert how.quantize(np.array([-1e12, 1e12])).tolist() == [low, high]
    assert isinstance(how.dequantize(how.quantize(np.array(1.5))), np.ndarray)  # of no axes, not a number of numpy's
    assert affine(1.0, 0, "int8", narrow=True).quantize(np.array([-300.0])).tolist() == [-127]
