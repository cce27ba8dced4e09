"""The kit's data sets, as they are."""

from pathlib import Path

import numpy as np

from exporter.data import InputSpec, open_data
from exporter.preprocessing import Preprocessing

GRAY = Preprocessing((0,), (255,), "gray")


def test_mnist(kit: Path) -> None:
    data = open_data(kit / "datasets/mnist/t10k-images-idx3-ubyte.gz", [InputSpec("x", (784,), "plain")], {"x": GRAY})
    assert len(data) == 10000
    assert data.labels is not None
    assert data.labels[:4].tolist() == [7, 2, 1, 0]
    x, _ = next(data.batches(64))
    assert x["x"].shape == (64, 784)
    assert x["x"].max() == 1.0
    assert sum(len(x["x"]) for x, _ in data.batches(256)) == 10000


def test_fashion_mnist(kit: Path) -> None:
    data = open_data(kit / "datasets/fashion_mnist/test_5000.npz", [InputSpec("x", (1, 28, 28), "nchw")], {"x": GRAY})
    assert len(data) == 5000
    assert data.labels is not None
    assert set(np.unique(data.labels)) == set(range(10))
    assert data.pick(8)[0]["x"].shape == (8, 1, 28, 28)


def test_flowers(flowers: Path) -> None:
    data = open_data(flowers, [InputSpec("x", (96, 96, 3), "nhwc")], {"x": Preprocessing((127.5,), (127.5,), "rgb", "crop:0.875")})
    assert data.class_names == ("daisy", "dandelion", "rose", "sunflower", "tulip")
    assert data.labels is not None
    assert np.bincount(data.labels).tolist() == [30] * 5
    x, y = data.pick(5)
    assert y is not None
    assert y.tolist() == [0, 1, 2, 3, 4]
    assert x["x"].shape == (5, 96, 96, 3)
