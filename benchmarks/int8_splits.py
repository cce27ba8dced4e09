"""Calibration and test data out of the kit's archives: each function gives the two paths, made once, both in forms that `mexport` reads."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from exporter.array import Array
from tests import kit_data

CALIBRATION_SAMPLES = 300
KWS_CALIBRATION = 200

Paths = tuple[Path, Path]


def mnist(kit: Path, folder: Path) -> Paths:
    """300 of the 60,000 training pictures; all 10,000 test pictures."""
    path = folder / "mnist-calibration.npz"
    if not path.exists():
        base = kit / "datasets/mnist"
        x, y = _idx(base / "train-images-idx3-ubyte.gz", 16), _idx(base / "train-labels-idx1-ubyte.gz", 8)
        _save(path, x.reshape(-1, 28, 28, 1), y)
    return path, kit_data.mnist(kit, folder)


def _idx(path: Path, header: int) -> Array:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def fashion(kit: Path, folder: Path) -> Paths:
    """300 of 10,000 training pictures, 30 a class; 5,000 test pictures."""
    paths = folder / "fashion-calibration.npz", folder / "fashion-test.npz"
    for path, name, count in zip(paths, ("train_10000", "test_5000"), (CALIBRATION_SAMPLES, None), strict=True):
        if not path.exists():
            with np.load(kit / f"datasets/fashion_mnist/{name}.npz") as found:
                _save(path, found["x"][..., None], found["y"], count)
    return paths


def cifar10(kit: Path, folder: Path) -> Paths:
    """300 of 5,000 training pictures, 30 a class; 5,000 test pictures."""
    return _linked(_spread(_cifar10_training(kit, folder)), folder / "cifar10-calibration"), kit_data.cifar10(kit, folder)


def _cifar10_training(kit: Path, folder: Path) -> list[Path]:
    train = kit_data.unpack(kit / "datasets/cifar10/train_5000.tar.gz", folder / "cifar10-train") / "train"
    return sorted(train.glob("*/*.png"))


def flowers(kit: Path, folder: Path) -> Paths:
    """300 of 1,535 training photos; the 150 test photos."""
    return _linked(_spread(_flowers_training(kit, folder)), folder / "flowers-calibration"), kit_data.flowers(kit, folder)


def _flowers_training(kit: Path, folder: Path) -> list[Path]:
    train = kit_data.unpack(kit / "datasets/tf_flowers/train_1535_short128.tar.gz", folder / "flowers-train")
    return sorted(train.glob("*/*.jpg"))


TRAINING: dict[Callable[[Path, Path], Paths], Callable[[Path, Path], list[Path]]] = {cifar10: _cifar10_training, flowers: _flowers_training}
"""The splits with pictures for more than one draw, to all their training pictures."""

DRAWS = 5
"""Of 300 training pictures each, none in two of them, each spread over all; the first is what a split calibrates on."""


def drawn(split: Callable[[Path, Path], Paths], draw: int, kit: Path, folder: Path) -> Path:
    """A draw of a split's training pictures."""
    return _linked(_spread(TRAINING[split](kit, folder), draw), folder / f"{split.__name__}-calibration-{draw}")


def imagenet(kit: Path, folder: Path) -> Paths:
    """Of the 80 photos every other one calibrates, the others measure."""
    photos = sorted(kit_data.imagenet(kit, folder).glob("*/*"))
    return _linked(photos[::2], folder / "imagenet-calibration"), _linked(photos[1::2], folder / "imagenet-test")


def photos(kit: Path, folder: Path) -> Paths:
    """The same photos without classes, for nets that know others."""
    found = sorted(kit_data.imagenet(kit, folder).glob("*/*"))
    return _linked(found[::2], folder / "photos-calibration", flat=True), _linked(found[1::2], folder / "photos-test", flat=True)


def kws(kit: Path, folder: Path) -> Paths:
    """The first 200 of the 1,000 inputs calibrate (they are shuffled: 12 to 21 of each of 12 classes), the other 800 measure."""
    paths = folder / "kws-calibration.npz", folder / "kws-test.npz"
    with np.load(kit_data.kws(kit, folder)) as found:
        for path, part in zip(paths, (slice(KWS_CALIBRATION), slice(KWS_CALIBRATION, None)), strict=True):
            if not path.exists():
                np.savez(path, x=found["x"][part], y=found["y"][part])
    return paths


def autoencoder(kit: Path, folder: Path) -> Paths:
    """Synthetic: the kit has no machine sounds.

    Five frames of 128 log-mel values that wander slowly along frequency and time, within the range that the makers' int8 file was
    calibrated to, -85 to 15 dB.
    """
    paths = folder / "autoencoder-calibration.npz", folder / "autoencoder-test.npz"
    for path, seed, count in zip(paths, (0, 1), (CALIBRATION_SAMPLES, 1000), strict=True):
        if not path.exists():
            random = np.random.default_rng(seed)
            tilt = np.cumsum(random.normal(0, 1.5, (count, 1, 128)), 2)
            level = random.uniform(-45, -15, (count, 1, 1))
            x = level + tilt - tilt.mean(2, keepdims=True) + random.normal(0, 3, (count, 5, 128))
            np.savez(path, x=np.clip(x, -85, 15).reshape(count, 640).astype(np.float32))
    return paths


def _spread(items: Sequence[Path], draw: int = 0) -> list[Path]:
    return [items[(i * DRAWS + draw) * len(items) // (CALIBRATION_SAMPLES * DRAWS)] for i in range(CALIBRATION_SAMPLES)]


def _save(path: Path, x: Array, y: Array, count: int | None = CALIBRATION_SAMPLES) -> None:
    chosen = np.arange(len(x)) if count is None else np.arange(count) * len(x) // count
    np.savez(path, x=x[chosen], y=y[chosen].astype(np.int64))


def _linked(files: Sequence[Path], folder: Path, *, flat: bool = False) -> Path:
    """Class folders of links to the files, or one folder of them."""
    if not folder.exists():
        aside = folder.with_name(f"part-{folder.name}")
        for file in files:
            link = aside / file.name if flat else aside / file.parent.name / file.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
        aside.rename(folder)
    return folder
