"""Shapes are inferred with the batch open, and weights never pass through a proto."""

import numpy as np
import pytest

from exporter.graph import shape_of
from exporter.graph.shapes import infer_missing, infer_shapes
from tests.graphs import graph_from_text


def shapes(text, inits=None):
    graph = graph_from_text(text, inits)
    for node in graph.nodes:
        for value in node.outputs:
            value.shape = None
    infer_shapes(graph)
    return {v.name: [str(d) for d in v.shape] for n in graph.nodes for v in n.outputs if v.shape is not None}


def test_the_batch_stays_open_through_every_kind_of_reshape():
    text = """g (float[N,4,6,6] x) => (float[N,4,3,3] y) {
        a = Flatten (x) b = Reshape (x, minus) c = Reshape (x, zero) d = Reshape (x, merged) e = ReduceMean <keepdims = 0> (x, axes)
        y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x) }"""
    found = shapes(
        text, {"minus": np.array([-1, 144]), "zero": np.array([0, 2, -1]), "merged": np.array([-1, 6, 6]), "axes": np.array([2, 3])}
    )
    assert found["a"] == found["b"] == ["N", "144"]
    assert found["c"] == ["N", "2", "72"]
    assert found["d"] == ["4N", "6", "6"]
    assert found["e"] == ["N", "4"]
    assert found["y"] == ["N", "4", "3", "3"]


def test_composites_and_big_weights():
    text = "g (float[N,6,4,4] x) => (float[N,300,4,4] y) { a = mexport.ChannelShuffle <group = 2> (x) y = Conv (a, w) }"
    found = shapes(text, {"w": np.zeros((300, 6, 1, 1))})
    assert found == {"a": ["N", "6", "4", "4"], "y": ["N", "300", "4", "4"]}


def test_a_wrong_shape_names_the_graph():
    with pytest.raises(ValueError, match="shapes of test"):
        graph_from_text("g (float[N,3] x) => (float[N,2] y) { y = MatMul (x, w) }", {"w": np.zeros((4, 2))})


def test_infer_missing_keeps_what_is_known():
    graph = graph_from_text("g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }")
    known = graph.nodes[0].outputs[0].shape
    infer_missing(graph)
    assert graph.nodes[0].outputs[0].shape is known
    graph.nodes[0].outputs[0].shape = None
    infer_missing(graph)
    assert shape_of(graph.nodes[0].outputs[0]) == (1, 3)


def test_shape_of_reads_the_batch_as_asked():
    graph = graph_from_text("g (float[N,4,2] x) => (float[M,2] y) { y = Reshape (x, s) }", {"s": np.array([-1, 2])})
    assert shape_of(graph.nodes[0].outputs[0]) == (4, 2)
    assert shape_of(graph.nodes[0].outputs[0], batch=3) == (12, 2)
