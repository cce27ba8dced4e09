"""Every layer, in Keras 3 and in tf_keras, against the framework itself."""

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import pytest
import tf_keras

from tests.sources.keras_check import check, ops

Build = Callable[[Any, Any], Any]
"""Takes a framework's `layers` and the input tensor; gives the output tensor."""

PICTURE, SEQUENCE, VECTOR = (9, 10, 6), (11, 6), (12,)

BOTH: dict[str, tuple[tuple[int, ...], Build]] = {
    "conv2d same": (PICTURE, lambda L, x: L.Conv2D(4, 3, padding="same", activation="relu")(x)),
    "conv2d stride": (PICTURE, lambda L, x: L.Conv2D(4, (3, 2), strides=(2, 3), padding="same", use_bias=False)(x)),
    "conv2d dilated": (PICTURE, lambda L, x: L.Conv2D(4, 3, dilation_rate=2, padding="same")(x)),
    "conv2d grouped": (PICTURE, lambda L, x: L.Conv2D(9, 3, groups=3)(x)),
    "conv1d same": (SEQUENCE, lambda L, x: L.Conv1D(4, 4, strides=2, padding="same", activation="tanh")(x)),
    "conv1d causal": (SEQUENCE, lambda L, x: L.Conv1D(4, 3, dilation_rate=2, padding="causal")(x)),
    "conv1d grouped": (SEQUENCE, lambda L, x: L.Conv1D(4, 3, groups=2)(x)),
    "depthwise2d": (PICTURE, lambda L, x: L.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same")(x)),
    "depthwise1d": (SEQUENCE, lambda L, x: L.DepthwiseConv1D(3, depth_multiplier=2, padding="same")(x)),
    "separable2d": (PICTURE, lambda L, x: L.SeparableConv2D(5, 3, depth_multiplier=2, padding="same", activation="relu")(x)),
    "separable1d": (SEQUENCE, lambda L, x: L.SeparableConv1D(5, 3, strides=2, padding="same")(x)),
    "transposed same": (PICTURE, lambda L, x: L.Conv2DTranspose(4, 3, strides=2, padding="same")(x)),
    "transposed valid": (PICTURE, lambda L, x: L.Conv2DTranspose(4, 3, strides=2)(x)),
    "transposed gap": (PICTURE, lambda L, x: L.Conv2DTranspose(4, 2, strides=3)(x)),
    "transposed even": (PICTURE, lambda L, x: L.Conv2DTranspose(4, 4, strides=2, padding="same", use_bias=False)(x)),
    "transposed output padding": (PICTURE, lambda L, x: L.Conv2DTranspose(4, 3, strides=2, padding="same", output_padding=1)(x)),
    "transposed dilated": (PICTURE, lambda L, x: L.Conv2DTranspose(4, 3, dilation_rate=2)(x)),
    "transposed 1d": (SEQUENCE, lambda L, x: L.Conv1DTranspose(4, 5, strides=3, padding="same")(x)),
    "dense": (VECTOR, lambda L, x: L.Dense(5, activation="softmax")(x)),
    "dense rank 3": (SEQUENCE, lambda L, x: L.Dense(5, activation="relu")(x)),
    "dense rank 4": (PICTURE, lambda L, x: L.Dense(5, use_bias=False)(x)),
    "dense time": (SEQUENCE, lambda L, x: L.TimeDistributed(L.Dense(5, activation="relu"))(x)),
    "batch norm": (PICTURE, lambda L, x: L.BatchNormalization()(x)),
    "batch norm bare": (PICTURE, lambda L, x: L.BatchNormalization(scale=False, center=False)(x)),
    "batch norm axis 1": (PICTURE, lambda L, x: L.BatchNormalization(axis=1)(x)),
    "batch norm vector": (VECTOR, lambda L, x: L.BatchNormalization(epsilon=0.1)(x)),
    "layer norm": (PICTURE, lambda L, x: L.LayerNormalization()(x)),
    "layer norm sequence": (SEQUENCE, lambda L, x: L.LayerNormalization(scale=False)(x)),
    "layer norm two axes": (SEQUENCE, lambda L, x: L.LayerNormalization(axis=[1, 2])(x)),
    "group norm": (PICTURE, lambda L, x: L.GroupNormalization(groups=3)(x)),
    "unit norm": (PICTURE, lambda L, x: L.UnitNormalization()(x)),
    "relu max": (PICTURE, lambda L, x: L.ReLU(max_value=0.5)(x)),
    "relu slope": (PICTURE, lambda L, x: L.ReLU(negative_slope=0.2)(x)),
    "relu everything": (PICTURE, lambda L, x: L.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.3)(x)),
    "prelu": (PICTURE, lambda L, x: L.PReLU()(x)),
    "prelu shared": (PICTURE, lambda L, x: L.PReLU(shared_axes=[1, 2])(x)),
    "prelu sequence": (SEQUENCE, lambda L, x: L.PReLU(shared_axes=[1])(x)),
    "elu": (PICTURE, lambda L, x: L.ELU(alpha=0.7)(x)),
    "softmax axis": (PICTURE, lambda L, x: L.Softmax(axis=1)(x)),
    "max pool same": (PICTURE, lambda L, x: L.MaxPooling2D(3, 2, padding="same")(x)),
    "max pool": (PICTURE, lambda L, x: L.MaxPooling2D((2, 3))(x)),
    "average pool same": (PICTURE, lambda L, x: L.AveragePooling2D(3, 2, padding="same")(x)),
    "max pool 1d": (SEQUENCE, lambda L, x: L.MaxPooling1D(2, padding="same")(x)),
    "average pool 1d": (SEQUENCE, lambda L, x: L.AveragePooling1D(3, 1, padding="same")(x)),
    "global average": (PICTURE, lambda L, x: L.GlobalAveragePooling2D()(x)),
    "global max kept": (PICTURE, lambda L, x: L.GlobalMaxPooling2D(keepdims=True)(x)),
    "global average 1d": (SEQUENCE, lambda L, x: L.GlobalAveragePooling1D()(x)),
    "global max 1d": (SEQUENCE, lambda L, x: L.GlobalMaxPooling1D()(x)),
    "zero padding": (PICTURE, lambda L, x: L.ZeroPadding2D(((1, 2), (0, 3)))(x)),
    "zero padding 1d": (SEQUENCE, lambda L, x: L.ZeroPadding1D((1, 2))(x)),
    "cropping": (PICTURE, lambda L, x: L.Cropping2D(((1, 2), (0, 3)))(x)),
    "cropping 1d": (SEQUENCE, lambda L, x: L.Cropping1D(2)(x)),
    "upsampling": (PICTURE, lambda L, x: L.UpSampling2D((2, 3))(x)),
    "upsampling bilinear": (PICTURE, lambda L, x: L.UpSampling2D(2, interpolation="bilinear")(x)),
    "upsampling 1d": (SEQUENCE, lambda L, x: L.UpSampling1D(3)(x)),
    "resizing": (PICTURE, lambda L, x: L.Resizing(13, 7)(x)),
    "resizing nearest": (PICTURE, lambda L, x: L.Resizing(13, 7, interpolation="nearest")(x)),
    "center crop": (PICTURE, lambda L, x: L.CenterCrop(4, 7)(x)),
    "rescaling": (PICTURE, lambda L, x: L.Rescaling(1 / 127.5, offset=-1)(x)),
    "rescaling channels": (PICTURE, lambda L, x: L.Rescaling([1, 2, 3, 4, 5, 6], offset=[6, 5, 4, 3, 2, 1])(x)),
    "normalization": (PICTURE, lambda L, x: L.Normalization(mean=[1, 2, 3, 4, 5, 6], variance=[6, 5, 4, 3, 2, 1])(x)),
    "flatten dense": (PICTURE, lambda L, x: L.Dense(5)(L.Flatten()(x))),
    "flatten": (PICTURE, lambda L, x: L.Flatten()(x)),
    "flatten chain": (PICTURE, lambda L, x: L.Dense(5)(L.BatchNormalization()(L.ReLU()(L.Dropout(0.5)(L.Flatten()(x)))))),
    "flatten layer norm": (PICTURE, lambda L, x: L.Dense(5)(L.LayerNormalization()(L.PReLU()(L.Flatten()(x))))),
    "flatten softmax": (PICTURE, lambda L, x: L.Softmax()(L.Flatten()(x))),
    "flatten both": (PICTURE, lambda L, x: L.Dense(3)(L.Add()([L.Flatten()(x), L.Flatten()(L.ReLU()(x))]))),
    "flatten concat": (PICTURE, lambda L, x: L.Dense(3)(L.Concatenate()([L.Flatten()(x), L.GlobalAveragePooling2D()(x)]))),
    "flatten back": (PICTURE, lambda L, x: L.Conv2D(3, 3)(L.Reshape((9, 10, 6))(L.Flatten()(x)))),
    "reshape split": (PICTURE, lambda L, x: L.Reshape((9, 10, 2, 3))(x)),
    "reshape merge": (PICTURE, lambda L, x: L.Reshape((90, 6))(x)),
    "reshape detector": (PICTURE, lambda L, x: L.Softmax()(L.Reshape((-1, 3))(x))),
    "reshape mixed": (PICTURE, lambda L, x: L.Reshape((5, 6, 18))(x)),
    "reshape vector": (VECTOR, lambda L, x: L.Conv2D(2, 2)(L.Reshape((2, 3, 2))(x))),
    "permute": (PICTURE, lambda L, x: L.Conv2D(2, 3)(L.Permute((3, 1, 2))(x))),
    "permute sequence": (SEQUENCE, lambda L, x: L.Dense(4)(L.Permute((2, 1))(x))),
    "shuffle": (PICTURE, lambda L, x: L.Reshape((9, 10, 6))(L.Permute((1, 2, 4, 3))(L.Reshape((9, 10, 2, 3))(x)))),
    "repeat vector": (VECTOR, lambda L, x: L.RepeatVector(4)(x)),
    "concat rows": (PICTURE, lambda L, x: L.Concatenate(axis=1)([x, L.ReLU()(x)])),
    "arithmetic": (PICTURE, lambda L, x: L.Average()([x, L.Multiply()([x, x]), L.Subtract()([x, L.ReLU()(x)])])),
    "extremes": (PICTURE, lambda L, x: L.Maximum()([x, L.Minimum()([x, L.Activation("tanh")(x)])])),
    "dot": (SEQUENCE, lambda L, x: L.Dot(axes=(2, 2))([x, L.ReLU()(x)])),
    "dot vectors": (VECTOR, lambda L, x: L.Dot(axes=1)([x, L.ReLU()(x)])),
    "squeeze excite": (PICTURE, lambda L, x: L.Multiply()([x, L.Reshape((1, 1, 6))(L.Dense(6, "sigmoid")(L.GlobalAveragePooling2D()(x)))])),
    "idle": (PICTURE, lambda L, x: L.GaussianNoise(0.1)(L.SpatialDropout2D(0.3)(L.RandomFlip()(L.RandomRotation(0.1)(x))))),
    "augmented": (PICTURE, lambda L, x: L.Conv2D(2, 3)(L.RandomContrast(0.1)(L.RandomZoom(0.2)(x)))),
    "attention": (SEQUENCE, lambda L, x: L.MultiHeadAttention(2, 3)(x, x)),
    "attention sizes": (SEQUENCE, lambda L, x: L.MultiHeadAttention(2, 3, value_dim=4, output_shape=5)(x, L.ReLU()(x))),
    "attention plain": (SEQUENCE, lambda L, x: L.Attention()([x, L.ReLU()(x)])),
    "einsum dense": (SEQUENCE, lambda L, x: L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de")(x)),
    "transformer": (SEQUENCE, lambda L, x: L.Dense(6, "gelu")(L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 3)(x, x)])))),
}  # fmt: skip


@pytest.mark.parametrize("framework", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("case", BOTH)
def test_layer(framework: Any, case: str) -> None:
    shape, build = BOTH[case]
    x = framework.Input(shape)
    check(framework.Model(x, build(framework.layers, x)))


ACTIVATIONS = (
    "relu",
    "elu",
    "selu",
    "gelu",
    "swish",
    "hard_sigmoid",
    "mish",
    "softplus",
    "softsign",
    "exponential",
    "tanh",
    "sigmoid",
    "linear",
)
ONLY_KERAS_3 = ("relu6", "silu", "hard_silu", "leaky_relu", "log_softmax", "celu", "hard_tanh", "squareplus", "log_sigmoid")


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("framework", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_activation(framework: Any, name: str) -> None:
    x = framework.Input(PICTURE)
    check(framework.Model(x, framework.layers.Activation(name)(x)), scale=2.0)  # so that both hard sigmoids saturate


@pytest.mark.parametrize("name", ONLY_KERAS_3)
def test_activation_of_keras_3(name: str) -> None:
    x = keras.Input(PICTURE)
    check(keras.Model(x, keras.layers.Activation(name)(x)), scale=2.0)


def test_gelu_by_tanh() -> None:
    x = keras.Input(PICTURE)
    check(keras.Model(x, keras.layers.Activation(keras.ops.gelu)(keras.ops.gelu(x, approximate=True))))


def test_leaky_relu_of_both() -> None:
    for framework, name in ((keras, "negative_slope"), (tf_keras, "alpha")):
        x = framework.Input(PICTURE)
        check(framework.Model(x, framework.layers.LeakyReLU(**{name: 0.15})(x)))


def test_channels_first_stays_channels_first() -> None:
    L = keras.layers
    x = keras.Input((6, 9, 10))
    y = L.Conv2D(4, 3, padding="same", data_format="channels_first", activation="relu")(x)
    y = L.BatchNormalization(axis=1)(L.MaxPooling2D(2, data_format="channels_first")(y))
    graph = check(keras.Model(x, L.Dense(3)(L.Flatten(data_format="channels_last")(y))))
    assert "Transpose" not in ops(graph)
    assert graph.inputs[0].perm == (0, 1, 2, 3)


def test_shuffle_is_reshape_transpose_reshape() -> None:
    shape, build = BOTH["shuffle"]
    x = keras.Input(shape)
    assert ops(check(keras.Model(x, build(keras.layers, x)))) == ["Reshape", "Transpose", "Reshape"]


def test_flatten_into_dense_moves_nothing() -> None:
    shape, build = BOTH["flatten chain"]
    x = keras.Input(shape)
    assert "Transpose" not in ops(check(keras.Model(x, build(keras.layers, x))))


def test_values_are_named_after_layers() -> None:
    x = keras.Input((8, 8, 3), name="photo")
    y = keras.layers.Conv2D(4, 3, activation="relu", name="stem")(x)
    graph = check(keras.Model(x, keras.layers.Dense(2, name="logits")(keras.layers.GlobalAveragePooling2D(name="pool")(y))))
    names = {v.name for node in graph.nodes for v in node.outputs}
    assert {"stem", "pool", "logits"} <= names
    assert (graph.inputs[0].name, graph.outputs[0].name) == ("photo", "logits")
