"""Phases as a whole."""

# ruff: noqa: E501 - graphs as text

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir
import pytest

from exporter.errors import ParityError
from exporter.graph import add_constant
from exporter.passes import PASSES, Phase
from exporter.passes.rewrite import NodePass
from exporter.passes.run import checked, clean, fold
from tests.graphs import graph_from_text, random_inputs
from tests.passes.pass_check import ops

RNG = np.random.default_rng(4)
NET = """g (float[N,8,8,3] x) => (float[N,5] y) {
    t = Transpose <perm = [0, 3, 1, 2]> (x) p = Pad (t, pads) c = Conv <strides = [2, 2]> (p, w) m = Mul (c, s) a = Add (m, o)
    r = Relu (a) b = Transpose <perm = [0, 2, 3, 1]> (r) h = ReduceMean <keepdims = 0> (b, axes) d = MatMul (h, dense) y = Add (d, bias) }"""
INITS = {
    "pads": np.array([0, 0, 0, 0, 0, 0, 1, 1]), "w": RNG.standard_normal((4, 3, 3, 3)), "s": RNG.random((4, 1, 1)), "o": RNG.random((4, 1, 1)),
    "axes": np.array([1, 2]), "dense": RNG.standard_normal((4, 5)), "bias": RNG.random(5),
}  # fmt: skip


def test_clean_and_fold_bring_to_normal_form_and_then_find_nothing():
    graph = graph_from_text(NET, INITS)
    assert clean(graph)
    assert fold(graph)
    assert ops(graph) == {"Conv": 1, "Relu": 1, "GlobalAveragePool": 1, "Reshape": 1, "Gemm": 1}
    assert graph.inputs[0].layout == "nhwc"
    assert clean(graph) == {}
    assert fold(graph) == {}


def test_the_same_graph_every_time():
    texts = []
    for _ in range(2):
        graph = graph_from_text(NET, INITS)
        clean(graph)
        fold(graph)
        texts.append(ir.to_proto(graph.model).SerializeToString())
    assert texts[0] == texts[1]


def test_checked_leaves_the_given_graph_alone():
    graph = graph_from_text(NET, INITS)
    before = ir.to_proto(graph.model).SerializeToString()
    result = checked(graph, Phase.CLEAN, random_inputs(graph, samples=2))
    assert ir.to_proto(graph.model).SerializeToString() == before
    assert "Transpose" not in ops(result)


@dataclass(frozen=True, slots=True)
class ShiftRelu(NodePass):
    """A pass that is wrong: the test of the search for it."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Relu"})

    def rewrite(self, graph, node):
        node.op_type = "Add"
        node.resize_inputs(2)
        node.replace_input_with(1, add_constant(graph, "shift", np.float32(1)))
        return 1


def test_a_wrong_pass_is_named(monkeypatch):
    monkeypatch.setitem(PASSES, "shift_relu", ShiftRelu)
    graph = graph_from_text(NET, INITS)
    with pytest.raises(ParityError, match="pass shift_relu changed the outputs"):
        checked(graph, Phase.CLEAN, random_inputs(graph))


def test_every_pass_has_a_name_a_phase_and_its_own_words():
    for name, kind in PASSES.items():
        assert kind.phase in Phase
        assert kind.__module__ == f"exporter.passes.{name}"
        assert kind.__doc__


def test_operators_that_nobody_knows_stay():
    graph = graph_from_text("g (float[N,4] x) => (float[N,4] y) { a = Identity (x) b = mexport.Odd (a) c = Dropout (b) y = Relu (c) }")
    clean(graph)
    assert ops(graph) == {"Odd": 1, "Relu": 1}
    assert clean(graph) == {}
