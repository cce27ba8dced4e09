"""What a Graph costs, against numbers worked out by hand."""

import numpy as np

from exporter.cost.count import layer_costs, totals
from tests.graphs import graph_from_text

TEXT = """g (float[N,4,8,8] x) => (float[N,5] y) {
    a = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w, b) c = Conv <group = 6> (a, d) e = Relu (c)
    u = ConvTranspose <strides = [2, 2]> (e, t)
    p = GlobalAveragePool (u) f = Reshape (p, s) y = Gemm <transB = 1> (f, g, h) }"""
INITS = {
    "w": np.zeros((6, 4, 3, 3)), "b": np.zeros(6), "d": np.zeros((6, 1, 1, 1)), "t": np.zeros((6, 3, 2, 2)), "s": np.array([0, 3]),
    "g": np.zeros((5, 3)), "h": np.zeros(5),
}  # fmt: skip


def test_layers():
    layers = layer_costs(graph_from_text(TEXT, INITS))
    conv, depthwise, relu, transposed, pool, reshape, dense = layers
    assert (conv.op, conv.shape_in, conv.shape_out) == ("Conv", (1, 4, 8, 8), (1, 6, 4, 4))
    assert (conv.params, conv.bytes) == (6 * 4 * 9 + 6, 4 * (6 * 4 * 9 + 6))
    assert conv.macs == 6 * 4 * 4 * (4 * 9)
    assert conv.mac_elements == 4 * 8 * 8 + 6 * 4 * 4 + conv.params
    assert depthwise.macs == 6 * 4 * 4
    assert transposed.macs == 6 * 4 * 4 * (3 * 4)
    assert (dense.macs, dense.params) == (15, 20)
    assert [layer.tensor_work for layer in layers] == [True, True, False, True, False, False, True]
    assert relu.macs == pool.macs == reshape.macs == reshape.params == 0
    assert relu.mac_elements == 2 * 6 * 4 * 4


def test_a_1x1_convolution_has_the_memory_access_cost_of_the_formula():
    text = "g (float[N,4,8,8] x) => (float[N,6,8,8] y) { y = Conv (x, w) }"
    (conv,) = layer_costs(graph_from_text(text, {"w": np.zeros((6, 4, 1, 1))}))
    assert conv.mac_elements == 8 * 8 * (4 + 6) + 4 * 6


def test_shared_weights_count_once_in_the_total():
    text = "g (float[N,4,8,8] x) => (float[N,4,8,8] y) { a = Conv (x, w) y = Conv (a, w) }"
    graph = graph_from_text(text, {"w": np.zeros((4, 4, 1, 1))})
    whole = totals(graph)
    assert (whole.params, whole.bytes) == (16, 64)
    assert whole.macs == 2 * 16 * 64
