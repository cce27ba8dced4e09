"""What the tests of data share: an input, pictures to read, and all that a data set gives."""

from pathlib import Path

import numpy as np
from PIL import Image

from exporter.array import Array
from exporter.data import Dataset, InputSpec

RGB = InputSpec("x", (8, 6, 3), "nhwc")
RNG = np.random.default_rng(0)


def draw(path: Path, width: int = 12, height: int = 10) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8)).save(path)


def everything(data: Dataset, size: int = 2) -> dict[str, Array]:
    parts = [x for x, _ in data.batches(size)]
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
