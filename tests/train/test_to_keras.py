"""Keras files: every operator, names and layouts, live batch norm, and a life of their own without this package."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from exporter.array import Array
from exporter.errors import UnsupportedOpError, UsageError
from exporter.graph import Graph, Port
from exporter.graph.evaluate import evaluate
from exporter.passes.run import clean, fold
from exporter.sources.keras.lower import lower_signature
from exporter.sources.keras.signature import signature_of
from exporter.train.parity import difference
from exporter.train.separate import separate
from exporter.train.to_keras.export import build, save
from tests.graphs import graph_from_text, random_inputs
from tests.train.test_bridge import NETS, cleaned, samples_of, small
from tests.train.test_ops import ALL, ROUNDING
from tests.train.training_data import residual_net

RNG = np.random.default_rng(0)

NO_LAYER = {
    "shared: Erf", "shared: Floor", "shared: Ceil", "shared: Round", "shared: Sign", "shared: Tan", "shared: Sin", "shared: Cos",
    "shared: Log", "shared: Sqrt", "shared: Reciprocal", "shared: Div from", "shared: Div by", "shared: product", "shared: l1",
    "shared: sum of squares", "shared: log of sum", "shared: log sum exp", "shared: lrn", "shared: threshold", "shared: where constant",
    "shared: l2", "columns", "rsub, rdiv", "lrn", "reduce l2", "shared: Pow half", "shared: lp norm 1", "shared: where", "shared: mask",
    "shared: equal", "round, sign", "thresholded relu", "equal", "masked with infinity", "broadcast choice", "comparisons",
}  # fmt: skip
"""Functions that no standard layer computes."""

NO_SETTING = {
    "shared: MaxPool ceil_mode k3 s2 p1,1,1,1 d1", "shared: MaxPool k3 s2 p1,1,1,1 d1", "shared: MaxPool ceil k3 s2 p1,1,1,1 d1",
    "shared: MaxPool k3 s2 p0,0,1,1 d1", "shared: MaxPool ceil k3 s2 p0,0,1,1 d1", "shared: MaxPool k5 s2 p2,2,2,2 d1",
    "shared: MaxPool ceil k5 s2 p2,2,2,2 d1", "shared: MaxPool k3 s1 p0,1,2,0 d1", "max pool of 16 channels",  # pads below any number
    "shared: transposed conv dilated", "shared: transposed conv grouped k4 s2 p1", "shared: transposed conv depthwise k4 s2 p1",
    "shared: transposed conv depthwise k3 s(1,2) op", "shared: transposed conv grouped asymmetric", "transposed 1-d depthwise",
    "transposed 1-d", "shared: matmul from left", "constant on the left", "shared: multi-head", "attention with heads", "constant per head",
    "shared: pad reflect", "shared: pad edge", "pad mirrored", "pad edge", "shared: concat constant", "constant bigger than the value",
    "shared: resize to sizes", "resize 1-d", "asymmetric linear", "linear smaller",
}  # fmt: skip
"""Layers that exist, but not with these settings."""


class Answers:
    """A Keras model by the Graph's source names."""

    def __init__(self, model: Any, graph: Graph) -> None:
        self.model, self.graph = model, graph

    def __call__(self, inputs: dict[str, Any]) -> dict[str, Any]:
        got = self.model([inputs[p.source_name] for p in self.graph.inputs])
        return dict(zip([p.source_name for p in self.graph.outputs], got if isinstance(got, list) else [got], strict=True))


@pytest.mark.parametrize("name", ALL)
def test_agrees_or_is_refused(name: str) -> None:
    graph = separate(graph_from_text(*ALL[name]))
    try:
        model = build(graph)
    except UnsupportedOpError:
        assert name in NO_LAYER | NO_SETTING or name.startswith("shared: resize")
        return
    assert name not in NO_LAYER | NO_SETTING
    assert {type(layer).__name__ for layer in model.layers} <= set(dir(keras.layers))
    ends = (*graph.model.graph.inputs, *graph.model.graph.outputs)
    fixed = any(isinstance(d, int) for v in ends for d in list(v.shape or [])[:1])
    assert max(difference(Answers(model, graph), graph, random_inputs(graph, samples=1 if fixed else 2)).values()) <= ROUNDING


@pytest.mark.parametrize("name", NETS)
def test_a_net_to_keras_and_back(name: str, tmp_path: Path) -> None:
    graph = cleaned(small(name))
    inputs = samples_of(graph)
    assert save(graph, tmp_path / "again.keras", inputs) <= 1e-4
    model = keras.models.load_model(tmp_path / "again.keras")
    assert [i.name for i in model.inputs] == [p.source_name for p in graph.inputs]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == sum(n.op_type == "BatchNormalization" for n in graph.nodes)
    again = lower_signature(signature_of(model), name="again", input_shapes={})
    clean(again)
    wanted, got = (next(iter(evaluate(g, {g.inputs[0].name: g.inputs[0].to_graph(*inputs.values())}).values())) for g in (graph, again))
    assert np.abs(wanted - got).max() <= 1e-4 * np.abs(wanted).max()  # the limit of every float32 form of a Graph


ALONE = """
import sys
sys.modules["exporter"] = None  # an import of it fails
import keras, numpy as np
try:
    import exporter
    raise SystemExit("exporter could be imported")
except ImportError:
    pass
model = keras.models.load_model(sys.argv[1])
data = np.load(sys.argv[2])
off = np.abs(np.asarray(model(data["x"])) - data["y"]).max() / np.abs(data["y"]).max()
before = {w.path: np.array(w) for w in model.weights}
model.compile("sgd", "sparse_categorical_crossentropy")
model.fit(data["x"], data["labels"], epochs=1, verbose=0)
same = [w.path for w in model.weights if np.array_equal(before[w.path], np.array(w))]
print(off <= 1e-4, len(model.trainable_weights), same)
"""


def test_a_file_lives_without_us(tmp_path: Path) -> None:
    graph = residual_net()
    path = tmp_path / "deep/tiny.keras"
    save(graph, path)
    x = RNG.random((32, 28, 28, 1)).astype(np.float32)
    y = evaluate(graph, {"x": graph.inputs[0].to_graph(x)})["y"]
    np.savez(tmp_path / "data.npz", x=x, y=y, labels=RNG.integers(0, 10, 32))
    command = [sys.executable, "-W", "ignore", "-c", ALONE, str(path), str(tmp_path / "data.npz")]
    found = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert found.stdout.split("\n")[0] == "True 20 []"  # 6 convolutions, 6 norms of two, a dense with bias: all learn, statistics too
    assert [f.name for f in path.parent.iterdir()] == ["tiny.keras"]


def test_channels_first_sources_get_a_permute_in_front() -> None:
    text = "g (float[N,3,8,6] image) => (float[N,4,8,6] y) { a = Conv (image, w) b = Relu (a) y = Conv <pads = [1,1,1,1]> (b, v) }"
    graph = graph_from_text(text, {"w": RNG.standard_normal((4, 3, 1, 1)), "v": RNG.standard_normal((4, 4, 3, 3))})
    first = build(graph)
    assert (first.input_shape, first.output_shape) == ((None, 3, 8, 6), (None, 4, 8, 6))
    assert [type(layer).__name__ for layer in first.layers] == ["InputLayer", "Permute", "Conv2D", "ReLU", "Conv2D", "Permute"]
    graph.inputs, graph.outputs = (Port("image", "image", (0, 3, 1, 2)),), (Port("y", "y", (0, 3, 1, 2)),)
    last = build(graph)
    assert (last.input_shape, last.output_shape) == ((None, 8, 6, 3), (None, 8, 6, 4))
    assert [type(layer).__name__ for layer in last.layers] == ["InputLayer", "Conv2D", "ReLU", "Conv2D"]


def test_several_outputs_are_named() -> None:
    text = "g (float[N,6] x) => (float[N,6] first, float[N,6] second) { first = Relu (x) second = Sigmoid (first) }"
    model = build(graph_from_text(text))
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Identity)] != []
    assert len(model.outputs) == 2


def test_a_layer_used_twice_is_one_layer() -> None:
    text = "g (float[N,4,6,6] x) => (float[N,4,6,6] y) { a = Conv (x, w) b = Relu (a) y = Conv (b, w) }"
    model = build(graph_from_text(text, {"w": RNG.standard_normal((4, 4, 1, 1))}))
    assert len(model.trainable_weights) == 1


def test_a_finished_graph_is_written_too(tmp_path: Path) -> None:
    graph = residual_net()
    clean(graph)
    fold(graph)
    assert save(graph, tmp_path / "folded.keras") <= 1e-4


def test_all_layers_without_a_keras_layer_are_named(tmp_path: Path) -> None:
    text = "g (float[N,4] x) => (float[N,4] y, float[N,4] z) { y = Erf (x) z = Sqrt (x) }"
    with pytest.raises(UnsupportedOpError, match=r"2 layers: y \(Erf\).*z \(Sqrt\)"):
        save(graph_from_text(text), tmp_path / "no.keras")
    assert list(tmp_path.iterdir()) == []


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name for a Keras model"):
        save(residual_net(), tmp_path / "model.h5")


def test_names_that_keras_does_not_allow_are_changed() -> None:
    inits: dict[str, Array] = {"w": RNG.standard_normal((4, 3, 1, 1))}
    graph = graph_from_text("g (float[N,3,6,6] x) => (float[N,4,6,6] y) { y = Conv (x, w) }", inits)
    graph.nodes[0].name = "/model/0/Conv"
    graph.inputs = (Port("serving/x:0", "x", (0, 1, 2, 3)),)
    assert [layer.name for layer in build(graph).layers][:1] == ["serving_x_0"]
    assert "model_0_Conv" in [layer.name for layer in build(graph).layers]
