"""Eleven well-known nets with seeded weights and live batch-norm statistics, for tests and benchmarks.

`build(name)` gives a Keras 3 model whose outputs are logits and whose signals neither vanish nor explode, so that a mistake in any
layer shows. Nothing is downloaded.
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from keras import layers

from exporter.array import Array

SIZE = 224
CLASSES = 1000


def _norm(x: Any, name: str, *, relu: bool = True) -> Any:
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _point(x: Any, channels: int, name: str, *, groups: int = 1, relu: bool = True) -> Any:
    x = layers.Conv2D(channels, 1, groups=groups, use_bias=False, name=name)(x)
    return _norm(x, name, relu=relu)


def _depth(x: Any, strides: int, name: str) -> Any:
    x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False, name=name)(x)
    return _norm(x, name, relu=False)


def _shuffle(x: Any, groups: int, name: str) -> Any:
    """Channel shuffle, spelt as Keras users spell it."""
    h, w, c = x.shape[1:]
    x = layers.Reshape((h, w, groups, c // groups), name=f"{name}_split")(x)
    x = layers.Permute((1, 2, 4, 3), name=f"{name}_swap")(x)
    return layers.Reshape((h, w, c), name=f"{name}_join")(x)


def _stem(name: str) -> tuple[Any, Any]:
    image = layers.Input((SIZE, SIZE, 3), name="image")
    x = layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False, name=name)(image)
    return image, layers.MaxPooling2D(3, 2, padding="same", name="pool1")(_norm(x, name))


def _classify(image: Any, x: Any, name: str) -> Any:
    x = layers.GlobalAveragePooling2D(name="pool5")(x)
    return keras.Model(image, layers.Dense(CLASSES, name="logits")(x), name=name)


def _fire(x: Any, squeeze: int, expand: int, name: str) -> Any:
    s = layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze")(x)
    small = layers.Conv2D(expand, 1, activation="relu", name=f"{name}_expand1")(s)
    large = layers.Conv2D(expand, 3, padding="same", activation="relu", name=f"{name}_expand3")(s)
    return layers.Concatenate(name=f"{name}_concat")([small, large])


def squeezenet() -> Any:
    """SqueezeNet 1.1, https://arxiv.org/abs/1602.07360."""
    image = layers.Input((SIZE, SIZE, 3), name="image")
    x = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(image)
    for stage, widths in enumerate((((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256)))):
        x = layers.MaxPooling2D(3, 2, name=f"pool{stage}")(x)
        for block, (squeeze, expand) in enumerate(widths):
            x = _fire(x, squeeze, expand, f"fire{stage}{block}")
    x = layers.Dropout(0.5, name="drop")(x)
    x = layers.Conv2D(CLASSES, 1, activation="relu", name="conv10")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D(name="pool10")(x), name="squeezenet")


def shufflenet_v1(groups: int = 3, repeats: tuple[int, ...] = (4, 8, 4)) -> Any:
    """ShuffleNet, https://arxiv.org/abs/1707.01083."""
    image, x = _stem("conv1")
    for stage, (channels, blocks) in enumerate(zip((240, 480, 960), repeats, strict=True)):
        for block in range(blocks):
            name, first = f"s{stage}b{block}", block == 0
            out = channels - x.shape[-1] if first else channels
            y = _point(x, channels // 4, f"{name}_g1", groups=1 if stage == 0 and first else groups)
            y = _depth(_shuffle(y, groups, name), 2 if first else 1, f"{name}_dw")
            y = _point(y, out, f"{name}_g2", groups=groups, relu=False)
            if first:
                x = layers.Concatenate(name=f"{name}_concat")([layers.AveragePooling2D(3, 2, padding="same", name=f"{name}_pool")(x), y])
            else:
                x = layers.Add(name=f"{name}_add")([x, y])
            x = layers.ReLU(name=f"{name}_out")(x)
    return _classify(image, x, "shufflenet_v1")


def shufflenet_v2(repeats: tuple[int, ...] = (4, 8, 4)) -> Any:
    """ShuffleNet V2, https://arxiv.org/abs/1807.11164."""
    image, x = _stem("conv1")
    for stage, (channels, blocks) in enumerate(zip((116, 232, 464), repeats, strict=True)):
        for block in range(blocks):
            name, half, strides = f"s{stage}b{block}", channels // 2, 2 if block == 0 else 1
            if block == 0:
                left, right = _point(_depth(x, 2, f"{name}_left"), half, f"{name}_left_p"), x
            else:
                left, right = x[..., :half], x[..., half:]
            right = _point(right, half, f"{name}_p1")
            right = _point(_depth(right, strides, f"{name}_dw"), half, f"{name}_p2")
            x = _shuffle(layers.Concatenate(name=f"{name}_concat")([left, right]), 2, name)
    return _classify(image, _point(x, 1024, "conv5"), "shufflenet_v2")


def _application(name: str, size: int = SIZE) -> Callable[[], Any]:
    def make() -> Any:
        return getattr(keras.applications, name)(weights=None, classes=CLASSES, classifier_activation=None, input_shape=(size, size, 3))

    return make


NETS: dict[str, Callable[[], Any]] = {
    "mobilenet_v1": _application("MobileNet"),
    "mobilenet_v2": _application("MobileNetV2"),
    "mobilenet_v3_small": _application("MobileNetV3Small"),
    "squeezenet": squeezenet,
    "shufflenet_v1": shufflenet_v1,
    "shufflenet_v2": shufflenet_v2,
    "resnet50": _application("ResNet50"),
    "densenet121": _application("DenseNet121"),
    "inception_v3": _application("InceptionV3", 299),
    "efficientnet_b0": _application("EfficientNetB0"),
    "vgg16": _application("VGG16"),
}
"""Name to the builder of the bare net."""

NAMES = tuple(NETS)


def pictures(n: int, shape: tuple[int, ...], seed: int) -> Array:
    """Seeded picture-like noise, coarse and fine, about N(0, 1): float32 of (n, *shape), channels last."""
    random = np.random.default_rng(seed)
    height, width, channels = shape
    coarse = random.normal(size=(n, 8, 8, channels))
    scale = -(-max(height, width) // 8)
    coarse = coarse.repeat(scale, 1).repeat(scale, 2)[:, :height, :width]
    return (coarse * random.uniform(0.4, 1.0, (n, 1, 1, 1)) + 0.5 * random.normal(size=(n, height, width, channels))).astype(np.float32)


def build(name: str, seed: int = 0) -> Any:
    """One of `NAMES` with weights drawn from `seed` and batch norms calibrated on noise, then disturbed."""
    keras.utils.set_random_seed(seed)
    model = NETS[name]()
    random = np.random.default_rng(seed)
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in model.layers:
        _draw(layer, random)
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(pictures(8, model.input_shape[1:], seed + 99), training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
        *affine, mean, variance = layer.get_weights()
        mean = mean + 0.05 * np.sqrt(variance) * random.normal(size=mean.shape)
        layer.set_weights([*affine, mean, variance * random.uniform(0.85, 1.15, variance.shape) + 1e-6])
    return model


def _draw(layer: Any, random: np.random.Generator) -> None:
    """He-scaled kernels, small biases, batch norms away from the identity."""
    if isinstance(layer, layers.Conv2D | layers.Dense | layers.DepthwiseConv2D):
        kernel, *bias = layer.get_weights()
        fan = kernel.shape[0] * kernel.shape[1] if isinstance(layer, layers.DepthwiseConv2D) else int(np.prod(kernel.shape[:-1]))
        last = isinstance(layer, layers.Dense) and layer.units == CLASSES
        drawn = random.normal(size=kernel.shape) * np.sqrt((1 if last else 2) / fan)
        layer.set_weights([drawn, *(random.normal(size=b.shape) * 0.05 for b in bias)])
    elif isinstance(layer, layers.BatchNormalization):
        weights = layer.get_weights()
        weights[0] = random.uniform(0.6, 1.4, weights[0].shape) if layer.scale else weights[0]
        if layer.center:
            weights[int(layer.scale)] = random.normal(size=weights[0].shape) * 0.2
        layer.set_weights(weights)


def saved(name: str, folder: Path, seed: int = 0) -> Path:
    """The net as a `.keras` file in `folder`, made once."""
    path = folder / f"{name}-{seed}.keras"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}.keras")
        model = build(name, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Keras 3 on numpy 2
            model.save(part)
        part.rename(path)
    return path
