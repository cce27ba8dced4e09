"""What every test shares: the kit of real models and data, a private cache, the third-party warnings we cannot avoid.

The kit is a folder of real trained models and data sets that is no part of the project; $MEXPORT_KIT names it. Without it, tests that
use it skip; with $MEXPORT_REQUIRE set (as `.ci/run` does) they fail instead.
"""

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def require(what: str) -> None:
    """Skip for the reason given, or fail where $MEXPORT_REQUIRE says that nothing may be missing."""
    if os.environ.get("MEXPORT_REQUIRE"):
        pytest.fail(f"MEXPORT_REQUIRE is set, but {what}")
    pytest.skip(what)


@pytest.fixture(autouse=True, scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every session of tests has a cache of its own: none reads what an earlier code wrote, none touches the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXPORT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def kit() -> Path:
    """The kit's folder."""
    if "MEXPORT_KIT" not in os.environ:
        require("MEXPORT_KIT is not set: it names the folder of real models and data")
    folder = Path(os.environ["MEXPORT_KIT"])
    if not (folder / "GOLDEN.json").is_file():
        require(f"MEXPORT_KIT={folder} holds no GOLDEN.json")
    return folder.resolve()


@pytest.fixture(scope="session")
def golden(kit: Path) -> dict[str, dict[str, Any]]:
    """Model path below kit/models to what its own framework gave: top1 and top5 in percent, n, preprocessing in words."""
    return json.loads((kit / "GOLDEN.json").read_text())["models"]


@pytest.fixture(scope="session")
def kit_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the kit's archives are unpacked, once a session."""
    return tmp_path_factory.mktemp("kit-data")


def _unpack(archive: Path, folder: Path) -> Path:
    if not folder.exists():
        folder.mkdir()
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def cifar10(kit: Path, kit_data: Path) -> Path:
    """Class folders of 5,000 CIFAR-10 test pictures, 32x32 PNG, 500 a class."""
    return _unpack(kit / "datasets/cifar10/test_5000.tar.gz", kit_data / "cifar10") / "test"


@pytest.fixture(scope="session")
def flowers(kit: Path, kit_data: Path) -> Path:
    """Class folders of 150 photos (JPEG, any size), 30 a class: daisy, dandelion, rose, sunflower, tulip."""
    return _unpack(kit / "datasets/tf_flowers/test_150_original.tar.gz", kit_data / "flowers")


@pytest.fixture(scope="session")
def imagenet(kit: Path, kit_data: Path) -> Path:
    """Class folders "0000" to "0999" for 80 ImageNet photos, one in each of 80; the other folders are empty, so that folder = index."""
    folder = kit_data / "imagenet"
    if not folder.exists():
        flat = _unpack(kit / "datasets/imagenet_sample/sample_80.tar.gz", kit_data / "imagenet-flat")
        for index in range(1000):
            (folder / f"{index:04}").mkdir(parents=True)
        for photo in sorted(flat.iterdir()):
            (folder / photo.name[:4] / photo.name).symlink_to(photo)
    return folder


@pytest.fixture(scope="session")
def imagenet_labels(imagenet: Path) -> Path:
    """A labels file with all 1,000 folder names of `imagenet`, a name a line."""
    path = imagenet.with_name("imagenet-labels.txt")
    path.write_text("".join(f"{index:04}\n" for index in range(1000)))
    return path


@pytest.fixture(scope="session")
def kws(kit: Path, kit_data: Path) -> Path:
    """An .npz of 1,000 keyword-spotting inputs: x (n, 49, 10, 1) float32, dequantized int8 features, and y (n,)."""
    path = kit_data / "kws.npz"
    if not path.exists():
        folder = _unpack(kit / "datasets/kws01_mfcc/kws01_1000.tar.gz", kit_data / "kws")
        rows = [line.split(",") for line in (folder / "y_labels.csv").read_text().split()]
        raw = [np.frombuffer((folder / name.strip()).read_bytes(), np.int8).reshape(49, 10, 1) for name, *_ in rows]
        x = (np.stack(raw).astype(np.float32) - 83) * np.float32(0.58470291)
        np.savez(path, x=x, y=np.array([int(row[-1]) for row in rows]))
    return path
