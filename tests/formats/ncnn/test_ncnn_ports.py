"""Inputs and outputs in every odd constellation, and names."""

from pathlib import Path

import numpy as np
import pytest

from exporter.errors import UnsupportedOpError, UsageError
from exporter.formats import ncnn
from exporter.formats.artifact import WriteOptions
from tests.formats.ncnn.running import kinds, rels, written
from tests.graphs import graph_from_text

GRAPHS = {
    "an output read on": ("(float[N,3,4,4] x) => (float[N,3,4,4] a, float[N,3,4,4] y) { a = Relu (x) y = Tanh (a) }", 2),
    "an output read twice": ("(float[N,3,4,4] x) => (float[N,3,4,4] a, float[N,3,4,4] y) { a = Relu (x) b = Tanh (a) y = Add (a, b) }", 2),
    "an input as output": ("(float[N,3,4,4] x) => (float[N,3,4,4] x, float[N,3,4,4] y) { y = Tanh (x) }", 2),
    "an unread input": ("(float[N,3,4,4] x, float[N,2] z) => (float[N,3,4,4] y) { y = Tanh (x) }", 1),
    "two inputs, two outputs": (
        "(float[N,3,4,4] x, float[N,3,4,4] z) => (float[N,3,4,4] y, float[N,6,4,4] c) { y = Sub (z, x) c = Concat <axis=1> (x, z) }", 2
    ),
    "twelve outputs": (
        "(float[N,12,4,4] x) => (" + ", ".join(f"float[N,1,4,4] o{i}" for i in range(12)) + ") { "
        + ", ".join(f"o{i}" for i in range(12)) + " = Split <axis=1, num_outputs=12> (x) }", 12
    ),
    "a vector": ("(float[N,7] x) => (float[N,7] y) { y = Softmax <axis=1> (x) }", 1),
    "one number a sample": ("(float[N,7] x) => (float[N] y) { y = ReduceMax <axes=[1], keepdims=0> (x) }", 1),
    "both operands the same": ("(float[N,3,4,4] x) => (float[N,3,4,4] y) { y = Mul (x, x) }", 1),
    "an input only reshaped": ("(float[N,3,4,4] x) => (float[N,48] y) { y = Flatten (x) }", 1),
    "one value as two shapes": ("(float[N,3,4,4] x) => (float[N,48] y, float[N,3,4,4] a) { a = Relu (x) y = Flatten (a) }", 2),
    "a name like a split's": (
        "(float[N,3] x) => (float[N,3] y) { a = Relu (x) a_split0 = Tanh (a) b = Add (a, a_split0) y = Mul (b, a_split0) }", 1
    ),
    "names of ncnn's own": ("(float[N,3] out0) => (float[N,3] in0) { in1 = Relu (out0) in0 = Tanh (in1) }", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_ports(name: str, tmp_path: Path) -> None:
    text, outputs = GRAPHS[name]
    if "axes=[1]" in text:
        graph = graph_from_text("g " + text.replace("<axes=[1], keepdims=0> (x)", "<keepdims=0> (x, a)"), {"a": np.array([1])})
    else:
        graph = graph_from_text("g " + text)
    artifact, session = written(graph, tmp_path)
    assert [t.name for t in artifact.outputs] == [f"out{i}" for i in range(outputs)] == session.outputs
    assert [t.name for t in artifact.inputs] == list(session.inputs)
    assert max(rels(graph, artifact, session).values()) <= 1e-6  # a few float32 roundings


def test_two_outputs_of_one_value(tmp_path: Path) -> None:
    graph = graph_from_text("g (float[N,3] x) => (float[N,3] y) { y = Tanh (x) }")
    graph.model.graph.outputs.append(graph.model.graph.outputs[0])
    graph.outputs = (*graph.outputs, graph.outputs[0])
    artifact, session = written(graph, tmp_path)
    got = session.run({"in0": np.ones(3, np.float32)})[1]
    assert [t.name for t in artifact.outputs] == ["out0", "out1"]
    assert np.array_equal(got["out0"], got["out1"])


def test_an_output_keeps_its_blob_as_tap(tmp_path: Path) -> None:
    artifact, session = written(graph_from_text("g " + GRAPHS["an output read on"][0]), tmp_path)
    x = np.random.default_rng(0).normal(size=(3, 4, 4)).astype(np.float32)
    got = session.run({"in0": x}, ["out0", artifact.taps["a"].name])[1]
    assert np.array_equal(got["out0"], np.maximum(x, 0))
    assert np.array_equal(got[artifact.taps["a"].name], got["out0"])


def test_names_are_made_safe_and_unique(tmp_path: Path) -> None:
    graph = graph_from_text("g (float[N,3] x) => (float[N,3] y) { a = Relu (x) b = Tanh (a) y = Sigmoid (b) }")
    for node, name in zip(graph.nodes, ("block 1/relu: é", "block_1/relu__", "n" * 400), strict=True):
        node.name = name
    graph.nodes[0].outputs[0].name = "layer/one with space"
    artifact, session = written(graph, tmp_path)
    names = [line.split()[1] for line in artifact.path.read_text(encoding="ascii").splitlines()[2:]]
    assert len(set(names)) == 4
    assert max(map(len, names)) < 255  # what ncnn's reader holds
    assert "layer/one with space" in artifact.taps
    assert max(rels(graph, artifact, session).values()) <= 1e-6  # a few float32 roundings


REFUSED = (
    "(float[N,3,4,4] x) => (float[N,3,4,4] y) { a = LpPool <kernel_shape=[1,1]> (x) b = Relu (a) c = Hardmax (b) d = Tanh (c) "
    "t = Transpose <perm=[1,0,2,3]> (d) u = Transpose <perm=[1,0,2,3]> (t) y = Relu (u) }"
)


def test_every_layer_that_cannot_be_expressed_is_named_at_once(tmp_path: Path) -> None:
    graph = graph_from_text("g " + REFUSED)
    fatal = [(p.layer, p.op) for p in ncnn.check(graph) if p.fatal]
    assert fatal[:2] == [("a", "LpPool"), ("c", "Hardmax")]
    assert "Transpose" in [op for _, op in fatal]
    assert "Relu" not in [op for _, op in fatal]  # a layer behind a refused one is not blamed
    with pytest.raises(UnsupportedOpError, match=r"LpPool `a`[\s\S]*Hardmax `c`[\s\S]*Transpose") as caught:
        ncnn.write(graph, tmp_path, WriteOptions())
    assert "--outputs" in (caught.value.hint or "")
    assert list(tmp_path.iterdir()) == []


def test_slow_layers_are_notes_not_errors() -> None:
    graph = graph_from_text(
        "g (float[N,4,4,4] x) => (float[N,a,b,c] y) { c = Conv <group=2> (x, w) y = Transpose <perm=[0,2,3,1]> (c) }",
        {"w": np.ones((4, 2, 1, 1))},
    )
    problems = ncnn.check(graph)
    assert [(p.op, p.fatal) for p in problems] == [("Conv", False), ("Transpose", False)]


def test_weights_that_are_computed_are_refused_with_the_reason() -> None:
    graph = graph_from_text("g (float[N,3,4,4] x, float[2,3,1,1] w) => (float[N,2,4,4] y) { y = Conv (x, w) }")
    assert "computed, not constant" in next(p.reason for p in ncnn.check(graph) if p.op == "Conv")


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="int4"):
        ncnn.write(graph_from_text("g " + GRAPHS["a vector"][0]), tmp_path, WriteOptions(precision="int4"))


def test_a_lone_input_that_is_the_output(tmp_path: Path) -> None:
    artifact, session = written(graph_from_text("g (float[N,3] x) => (float[N,3] x) { }"), tmp_path)
    assert kinds(artifact) == ["Input", "Split"]
    assert session.run({"in0": np.arange(3, dtype=np.float32)})[1]["out0"].tolist() == [0, 1, 2]
