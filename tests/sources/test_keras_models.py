"""Models as users build them: nested, shared, several inputs and outputs, operations between layers, cuts."""

import itertools
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from exporter.errors import SourceError, UsageError
from exporter.sources.keras import lower_model
from exporter.sources.keras.lower import lower_signature
from exporter.sources.keras.reference import reference
from exporter.sources.keras.signature import signature_of
from tests import nets
from tests.sources.keras_check import check, graph_outputs, ops

PREPROCESSED = ("mobilenet_v2", "resnet50", "densenet")  # by 127.5; BGR minus means; by means and deviations

NUMBERS = itertools.count()
BOTH = pytest.mark.parametrize("framework", [keras, tf_keras], ids=["keras", "tf_keras"])


@BOTH
def test_sequential(framework: Any) -> None:
    L = framework.layers
    check(framework.Sequential([L.Input((8, 8, 3)), L.Conv2D(4, 3), L.MaxPooling2D(), L.Flatten(), L.Dense(3, activation="softmax")]))


@BOTH
def test_nested_models(framework: Any) -> None:
    L = framework.layers
    x = framework.Input((None, None, 3) if framework is keras else (8, 8, 3))  # tf_keras builds Dense for the open shape and fails
    body = framework.Model(x, L.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x), name="body")
    head = framework.Sequential([L.Flatten(), L.Dense(3)], name="head")
    graph = check(framework.Sequential([framework.Sequential([L.Input((8, 8, 3)), body]), L.ReLU(), head]))
    assert ops(graph) == ["Conv", "Relu", "Relu", "Reshape", "Gemm"]


@BOTH
def test_shared_layers_share_weights(framework: Any) -> None:
    L = framework.layers
    x, y = framework.Input((8, 8, 3)), framework.Input((8, 8, 3))
    conv, inner = L.Conv2D(4, 3), framework.Sequential([L.Input((6, 6, 4)), L.Conv2D(2, 1)])
    graph = check(framework.Model([x, y], L.Add()([inner(conv(x)), inner(conv(y))])))
    assert len(graph.model.graph.initializers) == 4  # two kernels, two biases


@BOTH
def test_several_inputs_and_outputs(framework: Any) -> None:
    L = framework.layers
    picture, facts = framework.Input((8, 8, 3), name="picture"), framework.Input((5,), name="facts")
    y = L.Concatenate()([L.GlobalAveragePooling2D()(L.Conv2D(4, 3)(picture)), L.Dense(3)(facts)])
    model = framework.Model([picture, facts], [L.Dense(2, name="kind")(y), L.Dense(1, activation="sigmoid", name="score")(y)])
    graph = check(model)
    assert [p.source_name for p in graph.inputs] == ["picture", "facts"]
    assert [p.source_name for p in graph.outputs] == ["kind", "score"]


@BOTH
def test_dicts_of_inputs_and_outputs(framework: Any) -> None:
    L = framework.layers
    x, y = framework.Input((5,), name="b"), framework.Input((4,), name="a")
    model = framework.Model({"b": x, "a": y}, {"second": L.Dense(2)(x), "first": L.Dense(3)(y)})
    graph = check(model)
    assert {p.source_name for p in graph.inputs} == {"a", "b"}
    assert [p.source_name for p in graph.outputs] == ["first", "second"]


@BOTH
def test_input_as_output_and_one_tensor_twice(framework: Any) -> None:
    x = framework.Input((8, 8, 3), name="x")
    y = framework.layers.ReLU(name="y")(x)
    graph = check(framework.Model(x, [x, y, y]))
    assert [p.source_name for p in graph.outputs] == ["x", "y", "y_2"]


@BOTH
def test_fixed_batch_becomes_n(framework: Any) -> None:
    x = framework.Input(batch_shape=(3, 8, 8, 3))
    model = framework.Model(x, framework.layers.Dense(2)(framework.layers.Reshape((-1,))(framework.layers.Conv2D(4, 3)(x))))
    graph = check(model)
    assert str(graph.model.graph.inputs[0].shape[0]) == "N"


@BOTH
def test_mixed_precision_computes_in_float32(framework: Any) -> None:
    from exporter.sources.keras.loading import compute_in_float32

    L = framework.layers
    x = framework.Input((8, 8, 3))
    policy = "mixed_float16"
    y = L.BatchNormalization(dtype=policy)(L.Conv2D(4, 3, dtype=policy)(x))
    model = framework.Model(x, L.Dense(3, dtype="float32")(L.GlobalAveragePooling2D(dtype=policy)(y)))
    compute_in_float32(model)
    check(model)


@BOTH
@pytest.mark.parametrize("name", PREPROCESSED)
def test_preprocess_input_in_the_model(framework: Any, name: str) -> None:
    x = framework.Input((8, 10, 3))
    y = getattr(framework.applications, name).preprocess_input(x)
    check(framework.Model(x, framework.layers.Conv2D(4, 3)(y)), scale=50.0)


def test_lambda_that_calls_tensorflow() -> None:
    x = keras.Input((8, 10, 3))
    y = keras.layers.Lambda(lambda t: tf.nn.l2_normalize(tf.reduce_mean(t, axis=[1, 2]), axis=-1))(x)
    check(keras.Model(x, keras.layers.Dense(4)(y)))


def test_layer_that_cannot_be_recorded() -> None:
    x = keras.Input((8, 3))
    y = keras.layers.Lambda(lambda t: tf.numpy_function(np.sin, [t], tf.float32), output_shape=(8, 3), name="hidden")(x)
    with pytest.raises(SourceError, match="hidden"):
        lower_model(keras.Model(x, y), name="m")


def test_open_shape_needs_one() -> None:
    x = keras.Input((None, None, 3), name="photo")
    model = keras.Model(x, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, strides=2, padding="same")(x)))
    with pytest.raises(SourceError, match=r"photo has the open shape") as caught:
        lower_model(model, name="m")
    assert "--input-shape photo=1,224,224,3" in str(caught.value.hint)
    check(model, shapes={"": (1, 9, 11, 3)})
    check(model, shapes={"photo": (1, 9, 11, 3)})
    with pytest.raises(SourceError, match="does not fit"):
        lower_model(model, name="m", input_shapes={"": (1, 9, 11, 4)})
    with pytest.raises(UsageError, match="phot"):
        lower_model(model, name="m", input_shapes={"phot": (1, 9, 11, 3)})


def test_all_refused_layers_at_once() -> None:
    L = keras.layers
    x = keras.Input((8, 6))
    model = keras.Model(x, L.Dense(3)(L.GRU(5, name="second")(L.LSTM(4, return_sequences=True, name="first")(x))))
    with pytest.raises(SourceError) as caught:
        lower_model(model, name="m")
    assert "first (LSTM)" in caught.value.message
    assert "second (GRU)" in caught.value.message


@BOTH
def test_cut(framework: Any) -> None:
    L = framework.layers
    x = framework.Input((8, 8, 3), name="photo")
    y = L.Conv2D(4, 3, name="stem")(x)
    model = framework.Model(x, L.Softmax(name="probabilities")(L.Dense(3, name="logits")(L.Flatten(name="flat")(y))))
    cut = signature_of(model, ["stem"], ["logits"])
    assert (cut.inputs, cut.outputs) == (("stem",), ("logits",))
    stem = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype(np.float32)
    whole = signature_of(model, (), ["stem", "logits"])
    photo = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    both = reference(whole, {"photo": photo})
    again = reference(cut, {"stem": both["stem"]})
    np.testing.assert_allclose(again["logits"], both["logits"], rtol=1e-5, atol=1e-6)  # same operations, other batching
    assert reference(cut, {"stem": stem})["logits"].shape == (2, 3)
    with pytest.raises(UsageError, match="logit"):
        signature_of(model, (), ["logit"])


def _nested(framework: Any) -> tuple[Any, Any]:
    """A Sequential of a branching model and a Sequential, as Teachable Machine makes them; and the inner model."""
    L = framework.layers
    x = framework.Input((8, 8, 3), name="photo")
    stem = L.Conv2D(4, 3, name="stem")(x)
    inner = framework.Model(x, L.Add(name="sum")([L.Conv2D(4, 1, name="left")(stem), L.ReLU(name="right")(stem)]), name="body")
    first = framework.Sequential([inner, L.GlobalAveragePooling2D(name="pool")], name="features")
    last = framework.Sequential([L.Input((4,)), L.Dense(5, activation="relu", name="hidden"), L.Dense(3, name="logits")], name="head")
    return framework.Sequential([L.Input((8, 8, 3), name="picture"), first, last], name="whole"), inner


@BOTH
def test_cut_inside_nested_models(framework: Any) -> None:
    model, inner = _nested(framework)
    photo = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    cut = signature_of(model, (), ["features/body/left", "hidden"])
    assert (cut.inputs, cut.outputs) == (("picture",), ("features/body/left", "hidden"))
    L = framework.layers
    want = framework.Model(inner.inputs, inner.get_layer("left").output)([photo])
    outputs = reference(cut, {"picture": photo})
    np.testing.assert_allclose(outputs["features/body/left"], want, rtol=1e-5, atol=1e-6)  # the same layers on the same pictures
    graph = lower_signature(cut, name="m", input_shapes={})
    for port, got in zip(graph.outputs, graph_outputs(graph, [photo]), strict=True):
        np.testing.assert_allclose(got, outputs[port.source_name], rtol=1e-4, atol=1e-5)  # float32 sums in another order
    behind = signature_of(model, ["features/pool"], ())
    assert (behind.inputs, len(behind.outputs)) == (("features/pool",), 1)
    pooled = reference(signature_of(model, (), ["pool"]), {"picture": photo})["pool"]
    again = reference(behind, {"features/pool": pooled})[behind.outputs[0]]
    np.testing.assert_allclose(again, model(photo), rtol=1e-5, atol=1e-6)
    with pytest.raises(UsageError, match="unknown layer: features/body/lefft") as caught:
        signature_of(model, (), ["features/body/lefft"])
    assert "`features/body/left`" in str(caught.value.hint)
    twice = framework.Sequential([L.Input((3,)), L.Dense(3, name="same")], name="again")
    two = framework.Sequential([model, twice, framework.Sequential([L.Input((3,)), L.Dense(3, name="same")], name="more")])
    with pytest.raises(SourceError, match="2 inner layers are called same") as ambiguous:
        signature_of(two, (), ["same"])
    assert "again/same or more/same" in str(ambiguous.value.hint)


@pytest.mark.parametrize("use_scale", [False, True])
def test_additive_attention_is_not_its_parent(use_scale: bool) -> None:
    """Keras 3 derives it from Attention and keeps that one's `call`."""
    q, v = keras.Input((4, 6)), keras.Input((3, 6))
    check(keras.Model([q, v], keras.layers.AdditiveAttention(use_scale=use_scale)([q, v])))


def _operations(x: Any) -> Any:
    o = keras.ops
    y = o.relu(x * 2.0 + 1.0) - x / 3.0
    y = o.concatenate([y, 1.0 - x], axis=-1)
    a, c = o.split(y, 2, axis=-1)
    a = o.maximum(a, o.clip(c, -0.5, 0.5)) * o.mean(c, axis=[1, 2], keepdims=True)
    a = o.pad(a, [[0, 0], [1, 2], [0, 1], [0, 0]]) + np.arange(4, dtype="float32")
    a = o.reshape(o.transpose(a, (0, 3, 1, 2)), (-1, 4, 11 * 11))
    return o.matmul(a, o.swapaxes(a, 1, 2)) + o.softmax(o.expand_dims(o.sum(a, axis=-1), 1), axis=-1)


def test_operations_of_keras_3() -> None:
    x = keras.Input((8, 10, 4))
    check(keras.Model(x, _operations(x)))


def test_indexing_of_keras_3() -> None:
    x = keras.Input((8, 10, 4))
    outputs = [x[:, 2:7, ::2], x[..., 1], x[:, -1], x[:, ::-1, None, :, 1:3], keras.ops.flip(x, axis=1)]
    check(keras.Model(x, outputs))


def test_more_operations_of_keras_3() -> None:
    x, o = keras.Input((8, 10, 4)), keras.ops
    outputs = [
        o.image.resize(x, (16, 5)), o.normalize(x, axis=-1), o.var(x, axis=-1), o.max(x, axis=1), o.stack([x, o.abs(x)], axis=2),
        o.squeeze(x[:, :1], axis=1), o.moveaxis(x, 1, 2), o.power(o.abs(x), 1.5), o.sqrt(o.square(x) + 1), o.silu(o.cast(x, "float32")),
    ]  # fmt: skip
    check(keras.Model(x, outputs))


def test_operations_of_tensorflow() -> None:
    x = tf_keras.Input((8, 10, 4))
    y = tf.nn.relu6(x * 2.0 + 1.0) - x / 3.0
    y = tf.concat([y, 1.0 - x], axis=-1)
    a, c = tf.split(y, 2, axis=-1)
    a = tf.maximum(a, tf.clip_by_value(c, -0.5, 0.5)) * tf.reduce_mean(c, axis=[1, 2], keepdims=True)
    a = tf.pad(a, [[0, 0], [1, 1], [0, 0], [0, 0]]) + tf.constant([1.0, 2.0, 3.0, 4.0])
    shape = tf.shape(a)
    flat = tf.reshape(tf.transpose(a, (0, 3, 1, 2)), [shape[0], 4, shape[1] * shape[2]])
    outputs = [
        flat, tf.nn.depth_to_space(a, 2), tf.nn.space_to_depth(a, 2), tf.image.resize(x, (16, 5)), x[:, 2:7, ::2], x[..., 1],
        tf.nn.l2_normalize(x, axis=-1), tf.stack([x, tf.abs(x)], axis=2), tf.matmul(flat, flat, transpose_b=True),
        tf.squeeze(x[:, :1], axis=1), tf.nn.leaky_relu(x, 0.1), tf.sigmoid(x) * tf.math.rsqrt(tf.square(x) + 1.0),
        tf.nn.softmax(tf.reduce_max(x, axis=-1)), tf.expand_dims(x, 2), tf.reverse(x, [1]), tf.cast(x, tf.float32),
        tf.add_n([x, x, x]), tf.math.reduce_std(x, axis=-1), tf.norm(x, axis=1),
    ]  # fmt: skip
    check(tf_keras.Model(x, outputs))


def _op_layer(x: Any, op: str, constants: dict[int, Any], **attrs: Any) -> Any:
    """An operation as TensorFlow 2.0 to 2.3 stored it."""
    from tf_keras.src.engine.base_layer import TensorFlowOpLayer

    node = tf.compat.v1.NodeDef(name=op.lower(), op=op)
    node.input.extend(f"in{i}" for i in range((len(x) if isinstance(x, list) else 1) + len(constants)))
    node.attr["T"].type = tf.float32.as_datatype_enum
    for name, value in attrs.items():
        node.attr[name].CopyFrom(value)
    return TensorFlowOpLayer(node.SerializeToString(), f"{op}_{next(NUMBERS)}", constants)(x)


def test_operations_of_tensorflow_2_3() -> None:
    attr = tf.compat.v1.AttrValue
    index = {"Tidx": attr(type=tf.int32.as_datatype_enum)}
    x = tf_keras.Input((8, 10, 4))
    y = _op_layer(x, "AddV2", {1: np.float32(3)})
    y = _op_layer([x, _op_layer(_op_layer(y, "Relu6", {}), "Mul", {1: np.float32(1 / 6)})], "Mul", {})
    y = _op_layer([x, y], "ConcatV2", {2: np.int32(3)}, N=attr(i=2), **index)
    y = _op_layer(y, "Pad", {1: np.array([[0, 0], [1, 0], [0, 1], [0, 0]], np.int32)}, Tpaddings=attr(type=tf.int32.as_datatype_enum))
    y = _op_layer(y, "Mean", {1: np.array([1, 2], np.int32)}, keep_dims=attr(b=True), **index)
    check(tf_keras.Model(x, y))


@pytest.mark.parametrize("name", ["shufflenet_v2", "mobilenet_v3_small"])
def test_well_known_net(name: str) -> None:
    model = nets.build(name)
    from tests.sources.keras_check import graph_outputs

    x = nets.pictures(2, model.input_shape[1:], 7)
    graph = lower_model(model, name=name)
    want = np.asarray(model(x, training=False))
    (got,) = graph_outputs(graph, [x])
    assert np.abs(got - want).max() / np.abs(want).max() <= 1e-4  # 60 layers of float32 sums in another order
