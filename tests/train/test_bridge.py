"""The bridge as a whole: nets there and back, sharing, names, refusals, speed's conditions."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from exporter.array import Array
from exporter.errors import ParityError, UnsupportedOpError, UsageError
from exporter.graph import Graph, Port
from exporter.graph.evaluate import evaluate
from exporter.passes.run import clean, fold
from exporter.sources.keras.lower import lower_signature
from exporter.sources.keras.signature import signature_of
from exporter.train.bridge import Bridge
from exporter.train.layout import reshaping
from exporter.train.parity import SAMPLES, difference, require_parity
from exporter.train.separate import separate
from tests.graphs import graph_from_text, random_inputs
from tests.nets import pictures
from tests.train.training_data import residual_net

RNG = np.random.default_rng(0)


def small(name: str) -> Any:
    """A Keras net with every kind of block that it is known for, two of each where a stage repeats them."""
    import keras
    from keras.src.applications.densenet import DenseNet  # the public ones have one depth each
    from keras.src.applications.efficientnet import EfficientNet

    from tests import nets

    keras.utils.set_random_seed(0)
    given: dict[str, Any] = {"input_shape": (64, 64, 3), "weights": None, "classes": 10, "classifier_activation": None}
    return {
        "MobileNetV2": lambda: keras.applications.MobileNetV2(alpha=0.35, **given),
        "MobileNetV3Small": lambda: keras.applications.MobileNetV3Small(**given),
        "DenseNet": lambda: DenseNet([2, 2, 2, 2], **given),
        "EfficientNet": lambda: EfficientNet(1.0, 0.5, 64, **given),
        "shufflenet_v1": lambda: nets.shufflenet_v1(repeats=(2, 2, 2)),
        "shufflenet_v2": lambda: nets.shufflenet_v2(repeats=(2, 2, 2)),
        "squeezenet": nets.squeezenet,
    }[name]()


def cleaned(model: Any) -> Graph:
    graph = lower_signature(signature_of(model), name="net", input_shapes={})
    clean(graph)
    return graph


def samples_of(graph: Graph, count: int = SAMPLES) -> dict[str, Array]:
    shape = tuple(int(str(d)) for d in list(graph.model.graph.inputs[0].shape or [])[1:])
    return {graph.inputs[0].source_name: pictures(count, (*shape[1:], shape[0]), 1)}


def one_step(bridge: Bridge, inputs: dict[str, Array]) -> dict[str, Any]:
    """A step of plain gradient descent; the gradients by name."""
    variables = bridge.trainable

    @tf.function(autograph=False)
    def step() -> Any:
        with tf.GradientTape() as tape:
            got = bridge({n: tf.constant(x) for n, x in inputs.items()}, training=True)
            loss = tf.add_n([tf.reduce_mean(tf.square(y)) for y in got.values()])
        return tape.gradient(loss, list(variables.values()))

    gradients = dict(zip(variables, step(), strict=True))
    for name, gradient in gradients.items():
        variables[name].assign_sub(1e-2 * tf.convert_to_tensor(gradient))
    return gradients


NETS = ["MobileNetV2", "MobileNetV3Small", "DenseNet", "EfficientNet", "shufflenet_v1", "shufflenet_v2", "squeezenet"]


@pytest.mark.parametrize("name", NETS)
def test_a_net_there_and_back(name: str) -> None:
    graph = cleaned(small(name))
    bridge, inputs = Bridge(graph), samples_of(graph)
    assert require_parity(bridge, graph, inputs) <= 1e-4
    layers = {"Conv": (1, 3), "Gemm": (1, 3), "MatMul": (1, 2), "BatchNormalization": (1, 3)}
    weights = {str(v.name) for n in graph.nodes if n.op_type in layers for v in n.inputs[slice(*layers[n.op_type])] if v is not None}
    assert weights <= set(bridge.trainable)
    gradients = one_step(bridge, inputs)
    assert [n for n, g in gradients.items() if g is None or not np.isfinite(np.asarray(g)).all()] == []
    trained = bridge.to_graph()
    assert require_parity(bridge, trained, inputs) <= 1e-4
    assert max(difference(bridge, graph, inputs).values()) > 1e-5  # the step has done something: rounding is 1e-7 to 1e-6
    assert set(trained.model.graph.initializers) == set(graph.model.graph.initializers)
    changed = [n for n, v in trained.model.graph.initializers.items() if v.const_value is not graph.model.graph.initializers[n].const_value]
    assert set(changed) == set(bridge.variables)


def test_a_finished_graph_is_trained_too() -> None:
    graph = residual_net()
    clean(graph)
    fold(graph)
    assert "BatchNormalization" not in {n.op_type for n in graph.nodes}
    inputs = samples_of(graph)
    bridge = Bridge(graph)
    require_parity(bridge, graph, inputs)
    one_step(bridge, inputs)
    require_parity(bridge, bridge.to_graph(), inputs)


def test_statistics_follow_the_batches() -> None:
    inits = {"s": np.ones(3), "b": np.zeros(3), "m": np.zeros(3), "v": np.ones(3)}
    text = "g (float[N,3,8,8] x) => (float[N,3,8,8] y) { y = BatchNormalization <momentum = 0.8> (x, s, b, m, v) }"
    bridge = Bridge(graph_from_text(text, inits))
    x = RNG.standard_normal((16, 3, 8, 8)).astype(np.float32) * 2 + 1
    bridge({"x": x}, training=True)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    assert np.allclose(bridge.variables["m"].numpy(), 0.2 * mean, rtol=1e-5)
    assert np.allclose(bridge.variables["v"].numpy(), 0.8 + 0.2 * variance, rtol=2e-3)  # TensorFlow takes n - 1 of 1024 numbers
    bridge({"x": x}, training=True, momentum=0.0)
    assert np.allclose(bridge.variables["m"].numpy(), mean, rtol=1e-5)


def test_statistics_made_for_a_slow_pace_follow_all_the_same() -> None:
    """Keras's MobileNetV2 has 0.999: after some hundred steps of retraining they would still be those of the weights before."""
    inits = {"s": np.ones(3), "b": np.zeros(3), "m": np.zeros(3), "v": np.ones(3)}
    text = "g (float[N,3,8,8] x) => (float[N,3,8,8] y) { y = BatchNormalization <momentum = 0.999> (x, s, b, m, v) }"
    bridge = Bridge(graph_from_text(text, inits))
    x = RNG.standard_normal((16, 3, 8, 8)).astype(np.float32) * 2 + 1
    for _ in range(100):
        bridge({"x": x}, training=True)
    assert np.allclose(bridge.variables["m"].numpy(), x.mean((0, 2, 3)), rtol=0.01)


def test_weights_that_layers_share_are_one_variable() -> None:
    text = "g (float[N,4,6,6] x) => (float[N,4,6,6] y) { a = Conv (x, w) b = Relu (a) y = Conv (b, w) }"
    graph = graph_from_text(text, {"w": RNG.standard_normal((4, 4, 1, 1))})
    bridge = Bridge(separate(graph))
    assert list(bridge.variables) == ["w"]
    one_step(bridge, {"x": random_inputs(graph)["x"]})
    require_parity(bridge, bridge.to_graph(), random_inputs(graph))


def test_a_weight_used_in_two_ways_is_refused_and_can_be_separated() -> None:
    text = "g (float[N,4,6,6] x) => (float[N,4,6,6] y) { a = BatchNormalization (x, s, s, s, s) b = Relu (a) y = Conv (b, w, s) }"
    graph = graph_from_text(text, {"s": np.full(4, 0.5), "w": RNG.standard_normal((4, 4, 1, 1))})
    with pytest.raises(UsageError, match="s is used in two ways"):
        Bridge(graph)
    apart = separate(graph)
    assert set(apart.model.graph.initializers) == {"s", "s_2", "s_3", "w"}
    assert {n for n, v in Bridge(apart).variables.items() if not v.trainable} == {"s_2", "s_3"}
    inputs = random_inputs(graph)
    assert np.array_equal(evaluate(graph, inputs)["y"], evaluate(apart, inputs)["y"])


def test_statistics_that_norms_share_are_refused() -> None:
    text = """g (float[N,4,6,6] x) => (float[N,4,6,6] y) {
      a = BatchNormalization (x, s, b, m, v) r = Relu (a) y = BatchNormalization (r, t, c, m, w) }"""
    inits = {**{n: np.ones(4) for n in "stvw"}, **{n: np.zeros(4) for n in "bcm"}}
    with pytest.raises(UsageError, match="m is used in two ways"):
        Bridge(graph_from_text(text, inits))


def test_constants_of_the_model_are_not_trained() -> None:
    text = """g (float[N,3,6,6] x) => (float[N,7] y) {
      a = Sub (x, mean) c = Conv (a, w) d = Mul (c, scale) e = Add (d, grid) p = GlobalAveragePool (e) f = Reshape (p, s)
      m = MatMul (f, u) y = Add (m, b) }"""
    shapes = {"mean": (1, 3, 1, 1), "w": (5, 3, 1, 1), "scale": (5, 1, 1), "grid": (1, 1, 6, 6), "u": (5, 7), "b": (7,)}
    inits = {**{name: RNG.standard_normal(shape) for name, shape in shapes.items()}, "s": np.int64([0, 5])}
    bridge = Bridge(graph_from_text(text, inits))
    assert list(bridge.trainable) == ["w", "scale", "u", "b"]
    assert [n for n, r in bridge.roles.items() if r.decays] == ["w", "u"]


def test_every_unknown_layer_is_named() -> None:
    graph = residual_net()
    first, second = [n for n in graph.nodes if n.op_type == "Relu"][:2]
    first.op_type, second.op_type = "Odd", "Odder"
    with pytest.raises(UnsupportedOpError, match=r"2 layers of tiny .*r0 \(Odd\).*ra \(Odder\)"):
        Bridge(graph)


def test_every_refused_setting_is_named() -> None:
    text = """g (float[N,3,9,9] x) => (float[N,3,5,5] y, float[N,3,5,5] z) {
      y = MaxPool <kernel_shape = [3,3], dilations = [2,2]> (x) z = MaxPool <kernel_shape = [3,3], dilations = [2,2]> (x) }"""
    bridge = Bridge(graph_from_text(text))
    with pytest.raises(UnsupportedOpError, match=r"2 layers of test .*y \(MaxPool\): its taps are apart.*z \(MaxPool\)"):
        bridge({"x": np.zeros((1, 3, 9, 9), np.float32)})


def test_a_bridge_that_is_not_the_graph_is_found_out() -> None:
    graph = residual_net()
    bridge = Bridge(graph)
    bridge.variables["dense"].assign(bridge.variables["dense"] * 1.1)
    with pytest.raises(ParityError, match="the trainer's classes of tiny differs"):
        require_parity(bridge, graph, samples_of(graph))


def test_a_channels_last_source_costs_no_transpose() -> None:
    text = "g (float[N,3,8,8] x) => (float[N,4,8,8] y) { a = Conv (x, w) b = Relu (a) y = Conv <pads = [1,1,1,1]> (b, v) }"
    graph = graph_from_text(text, {"w": RNG.standard_normal((4, 3, 1, 1)), "v": RNG.standard_normal((4, 4, 3, 3))})
    graph.inputs, graph.outputs = (Port("x", "x", (0, 3, 1, 2)),), (Port("y", "y", (0, 3, 1, 2)),)
    bridge = Bridge(graph)
    traced = tf.function(lambda x: bridge({"x": x})["y"]).get_concrete_function(tf.TensorSpec((None, 8, 8, 3)))
    assert [op.type for op in traced.graph.get_operations() if op.type == "Transpose"] == []


def test_reshapes_move_no_more_than_they_must() -> None:
    from exporter.graph.shapes import PROBE as N

    nhwc = (0, 2, 3, 1)
    split = reshaping((N, 6, 4, 5), (N, 2, 3, 4, 5), nhwc)
    assert (split.order, split.dims, split.axes) == (nhwc, (-1, 4, 5, 2, 3), (0, 3, 4, 1, 2))
    pooled = reshaping((N, 6, 1, 1), (N, 6), nhwc)
    assert (pooled.order, pooled.dims, pooled.axes) == (nhwc, (-1, 6), (0, 1))
    flat = reshaping((N, 6, 4, 5), (N, 120), nhwc)
    assert (flat.order, flat.dims) == ((0, 1, 2, 3), (-1, 120))
    rows = reshaping((N, 6, 4, 5), (N, 6, 20), nhwc)
    assert (rows.order, rows.dims, rows.axes) == (nhwc, (-1, 20, 6), (0, 2, 1))
