"""Hard-swish and hard-sigmoid in int8: the quantized Graph says all that the file rounds."""

from pathlib import Path

import numpy as np
import pytest

from exporter.array import Array
from exporter.formats import tflite
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import insert, layer_of
from exporter.quantization.assign import assign
from exporter.quantization.quantize import quantize
from exporter.quantization.settings import QuantizeSettings
from tests.formats.tflite.running import kinds, parity_db, quantized, written
from tests.graphs import graph_from_text, random_inputs
from tests.quantization.nets import calibration_of

EXACT = 60
"""dB: the same integers, but for a few that lie half-way between two; one rounding more in a net costs 20 dB and more."""


def _weights(*shape: int) -> Array:
    drawn: Array = np.random.default_rng(list(shape)).normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    return drawn


def swishes() -> Graph:
    """Three hard-swishes, one behind the other: without a pair on the gates 32 dB."""
    return graph_from_text(
        """g (float[N,4,8,8] x) => (float[N,a,b,c] y) {
        a = Conv (x, w)  b = HardSwish (a)  c = Conv (b, v)  d = HardSwish (c)  e = Conv (d, w)  f = HardSwish (e)  y = Conv (f, v) }""",
        {"w": 2 * _weights(4, 4, 1, 1), "v": 3 * _weights(4, 4, 1, 1)},
    )


def spelt(graph: Graph) -> Graph:
    """A copy, spelt out."""
    copy = graph.clone()
    tflite.spell_out(copy)
    return copy


def test_values_keep_their_names_and_numbers() -> None:
    plain, steps = swishes(), spelt(swishes())
    assert [n.op_type for n in steps.nodes].count("HardSigmoid") == 3
    assert [layer_of(n) for n in steps.nodes if not layer_of(n).endswith("__gate")] == [layer_of(n) for n in plain.nodes]
    inputs, values = random_inputs(plain), [layer_of(n) for n in plain.nodes]
    want, got = evaluate(plain, inputs, values), evaluate(steps, inputs, values)
    for name in values:
        assert np.allclose(want[name], got[name], rtol=1e-5, atol=1e-5), name  # float32


def test_a_hard_swish_that_is_an_output_stays_one(tmp_path: Path) -> None:
    graph = quantized(spelt(graph_from_text("g (float[N,4,3,3] x) => (float[N,a,b,c] y) { y = HardSwish (x) }", {})))
    artifact, session = written(graph, tmp_path, "int8")
    assert [t.graph_name for t in artifact.outputs] == ["y"]
    assert parity_db(graph, artifact, session) >= EXACT


def test_a_gates_range_follows_from_its_operator() -> None:
    points = tflite.points(spelt(swishes()), dict.fromkeys("xabcdefy", (-4.0, 4.0)), frozenset())
    fixed = {name: g.fixed for g in points.groups for name in g.values if g.fixed}
    assert set(fixed) == {"b__gate", "d__gate", "f__gate"}
    assert set(fixed.values()) == {(float(np.float32(1 / 255)), -128)}
    assert points.layers == ("a", "b", "c", "d", "e", "f", "y")  # a gate is no layer of its own


@pytest.mark.parametrize("keep", [frozenset(), frozenset({"d"})])
def test_the_file_rounds_where_its_graph_does(keep: frozenset[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    calibration = calibration_of(swishes(), {"x": rng.normal(size=(16, 4, 8, 8)).astype(np.float32)})
    settings = QuantizeSettings("minmax", "none", keep_float=keep)
    graph = quantize(calibration, tflite, settings).graph
    artifact, session = written(graph, tmp_path, "mixed" if keep else "int8")
    ops = {"CONV_2D": 4, "ADD": 3, "MUL": 6}
    assert {k: n for k, n in kinds(session).items() if k in ops} == ops
    assert session.facts["delegated"] == 1
    assert parity_db(graph, artifact, session) >= EXACT
    assert {p.layer for p in artifact.floats} == keep


def test_parts_of_a_layer_kept_float_stay_float_together() -> None:
    points = tflite.points(spelt(swishes()), dict.fromkeys("xabcdefy", (-4.0, 4.0)), frozenset({"d"}))
    rounded = {name for g in points.groups for name in g.values}
    assert "d__gate" not in rounded
    assert {"b__gate", "c", "d", "f__gate"} <= rounded


def test_numbers_flattened_for_dense_layers_are_not_moved(tmp_path: Path) -> None:
    text = """g (float[N,4,8,8] x) => (float[N,a] y) {
    a = Conv (x, w)  f = Flatten (a)  b = HardSwish (f)  y = Gemm <transB=1> (b, v) }"""
    graph = quantized(spelt(graph_from_text(text, {"w": 2 * _weights(4, 4, 1, 1), "v": _weights(5, 256)})))
    artifact, session = written(graph, tmp_path, "int8")
    assert not {"GATHER", "TRANSPOSE"} & set(kinds(session))
    assert parity_db(graph, artifact, session) >= EXACT


@pytest.mark.parametrize("largest", [1.0, 0.6, 0.01])
def test_a_hard_sigmoid_is_rounded_once_whatever_its_scale(largest: float, tmp_path: Path) -> None:
    """Inputs end where a hard-sigmoid gives the largest; at the smallest of these scales its own steps are too fine for an ADD."""
    graph = graph_from_text(
        """g (float[N,4,8,8] x) => (float[N,a,b,c] y, float[N,d,e,f] z) {
        y = HardSigmoid <alpha=0.16666667, beta=0.5> (x)  p = Conv (x, w)  z = HardSigmoid <alpha=0.2, beta=0.5> (p) }""",
        {"w": _weights(4, 4, 1, 1)},
    )  # fmt: skip
    ranges = {"x": (-4.0, 6 * largest - 3), "p": (-4.0, 4.0), "y": (0.0, largest), "z": (0.0, largest)}
    points = tflite.points(graph, ranges, frozenset())
    graph = insert(graph, assign(graph, points, ranges))
    artifact, session = written(graph, tmp_path, "int8")
    assert {k: n for k, n in kinds(session).items() if k in {"CONV_2D", "ADD", "MUL"}} == {"CONV_2D": 1, "ADD": 1, "MUL": 2}
    assert session.facts["delegated"] == 1
    if largest >= 0.6:
        assert parity_db(graph, artifact, session) >= EXACT
