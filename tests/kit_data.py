"""The kit's data sets, unpacked into a folder; each is made once."""

import tarfile
from pathlib import Path
from typing import Any

import numpy as np

FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""Python 3.11 has it from 3.11.4 on; Debian 12 has 3.11.2."""

KWS_SCALE, KWS_ZERO_POINT = 0.58470291, 83
"""How the keyword-spotting features were quantized: real value = (q - zero point) * scale."""


def cifar10(kit: Path, folder: Path) -> Path:
    """Class folders of 5,000 CIFAR-10 test pictures, 32x32 PNG, 500 a class."""
    return unpack(kit / "datasets/cifar10/test_5000.tar.gz", folder / "cifar10") / "test"


def flowers(kit: Path, folder: Path) -> Path:
    """Class folders of 150 photos (JPEG, any size), 30 a class: daisy, dandelion, rose, sunflower, tulip."""
    return unpack(kit / "datasets/tf_flowers/test_150_original.tar.gz", folder / "flowers")


def mnist(kit: Path, folder: Path) -> Path:
    """The idx file of the 10,000 MNIST test pictures; the labels' file lies beside it."""
    return kit / "datasets/mnist/t10k-images-idx3-ubyte.gz"


def imagenet(kit: Path, folder: Path) -> Path:
    """Class folders for 80 ImageNet photos, each named by its class's index; `imagenet_labels` gives all 1,000 names."""
    done = folder / "imagenet"
    if not done.exists():
        flat = unpack(kit / "datasets/imagenet_sample/sample_80.tar.gz", folder / "imagenet-flat")
        for photo in sorted(flat.iterdir()):
            (done / photo.name[:4]).mkdir(parents=True)
            (done / photo.name[:4] / photo.name).symlink_to(photo.resolve())
    return done


def imagenet_labels(kit: Path, folder: Path) -> Path:
    """A labels file of 1,000 names, "0000" to "0999"."""
    path = folder / "imagenet-labels.txt"
    path.write_text("".join(f"{index:04}\n" for index in range(1000)))
    return path


def kws(kit: Path, folder: Path) -> Path:
    """An .npz of 1,000 keyword-spotting inputs: x (n, 49, 10, 1) float32, dequantized features, and y (n,)."""
    path = folder / "kws.npz"
    if not path.exists():
        raw = unpack(kit / "datasets/kws01_mfcc/kws01_1000.tar.gz", folder / "kws")
        rows = [line.split(",") for line in (raw / "y_labels.csv").read_text().split()]
        q = np.stack([np.frombuffer((raw / name).read_bytes(), np.int8).reshape(49, 10, 1) for name, _, _ in rows])
        x = (q.astype(np.float32) - KWS_ZERO_POINT) * np.float32(KWS_SCALE)
        np.savez(path, x=x, y=np.array([int(label) for _, _, label in rows]))
    return path


def unpack(archive: Path, folder: Path) -> Path:
    """An archive's contents as a folder; complete or absent."""
    if not folder.exists():
        aside = folder.with_name(f"part-{folder.name}")
        with tarfile.open(archive) as tar:
            tar.extractall(aside, **FILTER)
        aside.rename(folder)
    return folder
