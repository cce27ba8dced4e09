"""Train the sample's net: a small depthwise-separable CNN with batch norm, on Fashion-MNIST.

    python -m exporter.sample.train fashion_mnist/train_10000.npz fashion_mnist/test_5000.npz OUT

Each .npz holds x (n, 28, 28) uint8 and y (n,). Writes OUT/fashion.keras and OUT/pictures/<class>/NNN.png, the files shipped beside this
script. Same seed, same machine, same net; about three minutes on two cores.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exporter.array import Array
from exporter.sample import CLASS_NAMES

if TYPE_CHECKING:
    import keras

SEED = 7
EPOCHS = 36
BATCH = 128
PICTURES_PER_CLASS = 30


def _block(x: Any, filters: int, stride: int, name: str) -> Any:
    from keras import layers

    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.BatchNormalization(name=f"{name}_depthwise_norm")(x)
    x = layers.ReLU(name=f"{name}_depthwise_relu")(x)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
    x = layers.BatchNormalization(name=f"{name}_pointwise_norm")(x)
    return layers.ReLU(name=f"{name}_pointwise_relu")(x)


def build_net() -> "keras.Model":
    """28x28x1 pixels 0..255 to the probabilities of ten classes; the division by 255 is its first layer."""
    import keras
    from keras import layers

    pixels = keras.Input((28, 28, 1), name="pixels")
    x = layers.Rescaling(1 / 255, name="rescale")(pixels)
    x = layers.Conv2D(24, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    for index, (filters, stride) in enumerate([(48, 2), (48, 1), (96, 2), (96, 1)]):
        x = _block(x, filters, stride, f"block{index}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(pixels, layers.Dense(10, activation="softmax", name="classes")(x), name="fashion")


def _augment(x: Array, rng: np.random.Generator) -> Array:
    """Mirror half of the pictures and shift each by up to two pixels; x (n, 28, 28, 1)."""
    x = np.where(rng.random((len(x), 1, 1, 1)) < 0.5, x[:, :, ::-1], x)
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    down, right = rng.integers(0, 5, (2, len(x)))
    rows, columns = down[:, None] + np.arange(28), right[:, None] + np.arange(28)
    moved: Array = padded[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved


def train(x: Array, y: Array) -> "keras.Model":
    """Fit the net to x (n, 28, 28) uint8, y (n,), with a cosine learning rate."""
    import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    net = build_net()
    rate = keras.optimizers.schedules.CosineDecay(5e-3, EPOCHS * (len(x) // BATCH + 1))
    net.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for epoch in range(EPOCHS):
        order = rng.permutation(len(x))
        batch = _augment(x[order, ..., None], rng).astype(np.float32)
        net.fit(batch, y[order], batch_size=BATCH, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=2)
    return net


def save_pictures(x: Array, y: Array, folder: Path) -> None:
    """Write the first pictures of each class as folder/<class>/NNN.png."""
    from PIL import Image

    for index, name in enumerate(CLASS_NAMES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for count, picture in enumerate(x[y == index][:PICTURES_PER_CLASS]):
            Image.fromarray(picture).save(folder / name / f"{count:03}.png", optimize=True)


def main(train_path: str, test_path: str, out: str) -> None:
    """Train, tell the accuracy on the test data, and write the sample's files."""
    with np.load(train_path) as data:
        net = train(data["x"], data["y"])
    with np.load(test_path) as data:
        x, y = data["x"], data["y"]
    top1 = float(np.mean(net.predict(x[..., None].astype(np.float32), batch_size=500, verbose=0).argmax(1) == y))
    sys.stderr.write(f"top-1 on {len(y)} test pictures: {top1:.2%}\n")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    bare = build_net()  # without the optimizer's state, which would triple the file
    bare.set_weights(net.get_weights())
    bare.save(folder / "fashion.keras")
    save_pictures(x, y, folder / "pictures")


if __name__ == "__main__":
    main(*sys.argv[1:])
