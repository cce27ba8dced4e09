"""Each layer held against what it must give for the numbers that the file has before it: in each engine, right files and wrong ones."""

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.graph import const
from exporter.graph.edit import add_constant
from exporter.graph.evaluate import evaluate
from exporter.parity import Limits
from exporter.proving.alone import alone, steps_of
from exporter.proving.layers import first_divergence
from tests.formats.ncnn.test_ncnn_random import Sketch
from tests.graphs import graph_from_text, random_inputs
from tests.proving.int8_files import FORMATS, layers_of, quantized
from tests.quantization.test_integer_floor import depthwise_net

LIMITS = Limits(min_sqnr_db=25.0)


@pytest.mark.parametrize("name", FORMATS)
def test_no_layer_of_a_right_file_is_wrong_however_far_flips_spread(name: str, tmp_path: Path) -> None:
    graph = depthwise_net(8)
    x = random_inputs(graph, samples=2)
    qdq = quantized(graph, name, x)
    layers = layers_of(graph, qdq, qdq, name, tmp_path, x)
    assert len(layers) >= 16
    assert [layer.layer for layer in layers if layer.wrong(LIMITS)] == []
    assert any(layer.step for layer in layers)
    assert min(layer.alone.sqnr_db for layer in layers) >= min(layer.comparison.sqnr_db for layer in layers)


@pytest.mark.parametrize("name", FORMATS)
def test_the_one_layer_that_is_wrong_is_named_however_far_it_spreads(name: str, tmp_path: Path) -> None:
    """The file has another number among the integer weights of one layer."""
    graph = depthwise_net(4)
    x = random_inputs(graph, samples=2)
    right = quantized(graph, name, x)
    wrong = right.clone()
    stored = next(n for n in wrong.nodes if n.op_type == "DequantizeLinear" and n.inputs[0] is not None and n.inputs[0].name == "v1__q")
    weights = const(stored.inputs[0])
    assert weights is not None
    other = weights.copy()
    other[0] = np.roll(other[0], 3)
    stored.replace_input_with(0, add_constant(wrong, "v1__other", other))
    layers = layers_of(graph, right, wrong, name, tmp_path, x)
    assert {layer.value for layer in layers if layer.wrong(LIMITS)} == {"p1"}
    first = first_divergence(layers, LIMITS)
    assert first is not None
    assert first.value == "p1"
    assert first.wrong(LIMITS) is not None


def test_a_value_is_computed_from_the_files_own_numbers() -> None:
    graph = graph_from_text("g (float[N,4] x) => (float[N,4] c) { a = Relu (x) b = Neg (a) c = Add (b, a) }")
    x = {"x": np.ones((2, 4), np.float32)}
    found = alone(graph, x, {"a": np.full((2, 4), 3, np.float32), "b": np.full((2, 4), 5, np.float32)})
    assert {name: set(array.ravel()) for name, array in found.items()} == {"a": {1.0}, "b": {-3.0}}
    (c,) = alone(graph, x, {"b": np.full((2, 4), 5, np.float32), "c": x["x"]}).keys() - {"b"}
    assert c == "c"
    assert evaluate(graph, x)["c"].max() == 0, "the Graph stays as it is"


def test_steps_are_those_of_computed_values_with_one_scale() -> None:
    graph = depthwise_net(1)
    qdq = quantized(graph, "onnx", random_inputs(graph))
    steps = steps_of(qdq)
    assert "r0" in steps
    assert "v0__dequantized" not in steps
    assert all(step > 0 for step in steps.values())


class _Uneven(Sketch):
    """With layers whose outputs are far apart in size, joined in any number."""

    def kernel(self, *shape: int) -> str:
        name = super().kernel(*shape)
        self.arrays[name] *= np.float32(10 ** self.dice.uniform(-1.5, 1))
        return name

    def join(self) -> None:
        _, (_, h, w) = self.source()
        alike = [(name, shape[0]) for name, shape in self.shapes.items() if shape[1:] == (h, w)]
        parts = self.dice.choices(alike, k=self.dice.randint(2, 8))
        wide = sum(channels for _, channels in parts)
        if wide <= 160:
            self.add(f"Concat <axis=1> ({', '.join(name for name, _ in parts)})", (wide, h, w))


KINDS = (
    "conv",
    "conv",
    "conv",
    "conv",
    "activation",
    "gate",
    "arithmetic",
    "pool",
    "concat",
    "join",
    "join",
    "cut",
    "shuffle",
    "transposed",
)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_no_layer_of_a_random_graph_is_wrong(name: str, seed: int) -> None:
    made, dice = _Uneven(seed), random.Random(seed)
    for kind in dice.choices(KINDS, k=dice.randint(2, 10)):
        getattr(made, kind)()
    if not made.lines:
        made.activation()
    text = made.text()
    graph = graph_from_text(text, {k: v for k, v in made.arrays.items() if k in text})
    x = random_inputs(graph, seed % 1000, samples=2)
    qdq = quantized(graph, name, x)
    with tempfile.TemporaryDirectory() as folder:
        layers = layers_of(graph, qdq, qdq, name, Path(folder), x)
    assert {layer.value: wrong for layer in layers if (wrong := layer.wrong(LIMITS))} == {}, text
