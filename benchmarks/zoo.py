"""Nets as other libraries write them, each built in all three formats: what comes out equal, what is refused and why.

    python -m benchmarks.zoo [FOLDER]

FOLDER holds what `benchmarks/zoo_export.py` wrote: files of torchvision, timm and transformers. Without it: the nets of
`keras.applications` and `tf_keras.applications` that zoo.txt names. Weights are random; batch norms hold statistics of random pictures.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.ours import TARGETS, build_all
from benchmarks.results import Results, Row, Rows
from benchmarks.sources import work_folder

SUFFIX = {"keras": "keras", "tf_keras": "h5"}

SAVE = """
import sys
import numpy as np
import {kind} as keras
keras.utils.set_random_seed(0)
net = keras.applications.{name}(weights=None)
if net.input_shape[1] is None:
    net = keras.applications.{name}(weights=None, input_shape=(224, 224, 3))
for layer in net.layers:
    if type(layer).__name__ == "BatchNormalization":
        layer.momentum = 0.0
low, high = (0, 255) if any(type(layer).__name__ == "Rescaling" for layer in net.layers) else (-1, 1)
net(np.random.default_rng(0).uniform(low, high, (4, *net.input_shape[1:])).astype("float32"), training=True)
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


PAGE = """## Nets as other libraries write them

How many nets of other people's libraries are built, by format, within the target's limits of the source's own framework (fp32;
`benchmarks/zoo_export.py` where PyTorch is installed, then `python -m benchmarks.zoo FOLDER`, and without FOLDER for Keras). PyTorch
2.11, torchvision 0.26, timm 1.0.29, transformers 5.17; *script* is PyTorch's older exporter with a free batch, *dynamo* the newer one with
a batch of one (timm: every other net). Weights are random, so this is about how graphs are written, not about accuracy. Files above 150 MB
were left out, and a dozen nets of zoo.txt had no turn. Of what is not built, most is refused before any work; where outputs differ, random
weights make the net chaotic. Text models are not among them: integer inputs are refused.

"""


def section(rows: Rows) -> str:
    """How many of each library, then each net that was not built."""
    families: dict[str, list[Row]] = {}
    for name, row in rows.items():
        family, *_, last = name.split("-")
        families.setdefault(f"{family} {last}" if last in ("script", "dynamo") else family, []).append(row)
    counts = [[family, str(len(of)), *(str(sum(_built(row, f) for row in of)) for f in TARGETS)] for family, of in families.items()]
    lacking = {name: [f for f in TARGETS if not _built(row, f)] for name, row in rows.items()}
    missing = [[name, ", ".join(of), str(rows[name].get(of[0], rows[name].get("error")))] for name, of in lacking.items() if of]
    told = table(["net", "not in", "why (of the first of them)"], [[*cells, why[:160].replace("|", "/")] for *cells, why in missing])
    return PAGE + table(["library", "nets", *TARGETS], counts) + "\n" + told


def _built(row: Row, file_format: str) -> bool:
    return isinstance(row.get(file_format), float)


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
