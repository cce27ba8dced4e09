"""Nets as other libraries write them, each built in all three formats: what comes out equal, what is refused and why.

    python -m benchmarks.zoo [FOLDER]

FOLDER holds what `benchmarks/zoo_export.py` wrote: files of torchvision, timm and transformers. Without it: the nets of
`keras.applications` and `tf_keras.applications` that zoo.txt names. Weights are random; batch norms hold statistics of random pictures.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.ours import build_all
from benchmarks.results import Results, Row
from benchmarks.sources import work_folder

SUFFIX = {"keras": "keras", "tf_keras": "h5"}

SAVE = """
import sys
import numpy as np
import {kind} as keras
keras.utils.set_random_seed(0)
net = keras.applications.{name}(weights=None)
for layer in net.layers:
    if type(layer).__name__ == "BatchNormalization":
        layer.momentum = 0.0
net(np.random.default_rng(0).uniform(-1, 1, (4, *net.input_shape[1:])).astype("float32"), training=True)
net.save(sys.argv[1])
"""
"""A net of Keras with batch norms that have seen a batch, in a process of its own."""


def measure(source: Path) -> Row:
    """Format to `rel` against the source's own framework, or to what was said."""
    return {f: built if isinstance(built, str) else built.rel() for f, built in build_all(source, fresh=True).items()}


def made_and_measured(kind: str, name: str) -> Row:
    """A net of Keras, which is not kept."""
    path = work_folder() / f"zoo-{name}.{SUFFIX[kind]}"
    try:
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SAVE.format(kind=kind, name=name), str(path)], check=True, capture_output=True
        )
        return measure(path)
    finally:
        path.unlink(missing_ok=True)


def main() -> None:
    """All files of the folder, or all nets of Keras."""
    results = Results("zoo")
    if len(sys.argv) > 1:
        for path in sorted(Path(sys.argv[1]).glob("*.onnx"), key=lambda p: p.stat().st_size):
            results.fill(path.stem, partial(measure, path))
        return
    for kind, *names in (line.split() for line in Path(__file__).with_name("zoo.txt").read_text().splitlines()):
        for name in names if kind in SUFFIX else []:
            results.fill(f"{kind}-{name}", partial(made_and_measured, kind, name))


if __name__ == "__main__":
    main()
