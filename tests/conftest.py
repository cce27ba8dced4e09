"""What every test shares: the kit of real models and data, a private cache, the third-party warnings we cannot avoid.

The kit is a folder of real trained models and data sets that is no part of the project; $MEXPORT_KIT names it. Without it, tests that
use it skip; where $MEXPORT_REQUIRE names it (as `.ci/run` does) they fail instead.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from tests import kit_data as sets

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def require(what: str, name: str = "kit") -> NoReturn:
    """Skip for the reason given, or fail where $MEXPORT_REQUIRE says that it may not be missing.

    Args:
        what: The reason.
        name: What is missing: "kit", "docker", "adb", "qemu", "android".
    """
    asked = os.environ.get("MEXPORT_REQUIRE", "").split(",")
    if name in asked or "1" in asked:
        pytest.fail(f"MEXPORT_REQUIRE names {name}, but {what}")
    pytest.skip(what)


# A run in the background of a shell inherits an ignored Ctrl-C, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every session of tests has a cache of its own: none reads what an earlier code wrote, none touches the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEXPORT_CACHE", str(folder))
        yield folder


FRESH = np.random.default_rng(0).bit_generator.state


@pytest.fixture(autouse=True)
def own_draws() -> None:
    """Every module's RNG starts anew: what a test draws does not depend on which tests ran before it in its process."""
    for name, module in list(sys.modules.items()):
        if name.startswith("tests.") and isinstance(getattr(module, "RNG", None), np.random.Generator):
            module.RNG.bit_generator.state = FRESH


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


@pytest.fixture(scope="session")
def mnist(kit: Path, kit_data: Path) -> Path:
    """The idx file of the 10,000 MNIST test pictures, its labels beside it."""
    return sets.mnist(kit, kit_data)


@pytest.fixture(scope="session")
def cifar10(kit: Path, kit_data: Path) -> Path:
    """Class folders of 5,000 CIFAR-10 test pictures, 32x32 PNG, 500 a class."""
    return sets.cifar10(kit, kit_data)


@pytest.fixture(scope="session")
def flowers(kit: Path, kit_data: Path) -> Path:
    """Class folders of 150 photos (JPEG, any size), 30 a class: daisy, dandelion, rose, sunflower, tulip."""
    return sets.flowers(kit, kit_data)


@pytest.fixture(scope="session")
def imagenet(kit: Path, kit_data: Path) -> Path:
    """Class folders for 80 ImageNet photos, named by class index; give `imagenet_labels` with them."""
    return sets.imagenet(kit, kit_data)


@pytest.fixture(scope="session")
def imagenet_labels(kit: Path, kit_data: Path) -> Path:
    """A labels file of 1,000 names, "0000" to "0999"."""
    return sets.imagenet_labels(kit, kit_data)


@pytest.fixture(scope="session")
def kws(kit: Path, kit_data: Path) -> Path:
    """An .npz of 1,000 keyword-spotting inputs: x (n, 49, 10, 1) float32, dequantized features, and y (n,)."""
    return sets.kws(kit, kit_data)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, to be filled up."""
    place = tmp_path / "small-disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False)
    if made.returncode != 0:
        require(f"a small file system cannot be mounted here: {made.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
