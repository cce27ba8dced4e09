"""The nets of the benchmarks as files: `.keras` with seeded weights, made once."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

HEAVY = ("resnet50", "vgg16")


def work_folder() -> Path:
    """Where big intermediate files go: $MEXPORT_BENCH, else build/benchmarks below the current folder."""
    folder = Path(os.environ.get("MEXPORT_BENCH", "build/benchmarks"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def net_names() -> list[str]:
    """All nets of tests/nets.py, the heavy ones last."""
    from tests.nets import NAMES

    return sorted(NAMES, key=lambda name: name in HEAVY)


def keras_file(name: str) -> Path:
    """The net as a `.keras` file."""
    from tests.nets import saved

    return saved(name, work_folder())
