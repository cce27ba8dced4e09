"""The nets of the benchmarks as files: `.keras` with seeded weights, made once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

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


def input_shape(name: str) -> tuple[int, int, int]:
    """Height, width, channels of a net's picture."""
    size = 299 if name == "inception_v3" else 224
    return size, size, 3


def samples_file(name: str) -> Path:
    """Eight samples of the kind that the net's batch norms were calibrated on: elsewhere its signals grow without bound."""
    path = work_folder() / f"{name}-samples.npz"
    if not path.exists():
        from tests.nets import pictures

        np.savez(path, x=pictures(8, input_shape(name), seed=7))
    return path


def keras_file(name: str) -> Path:
    """The net as a `.keras` file, made once, in a process of its own: a big net must not stay in memory."""
    path = work_folder() / f"{name}-0.keras"
    if not path.exists():
        code = f"import pathlib, tests.nets; tests.nets.saved({name!r}, pathlib.Path({str(work_folder())!r}))"
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    return path
