"""Count ncnn: the static native program, which marks inferences and layers itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.cost.emulate import Machine
from exporter.cost.instructions import NONE, WHOLE, Counts, Region
from exporter.cost.load import LayerCount, Load
from exporter.cost.segments import TENSOR_WORK
from exporter.devices.ncnn_runner import NcnnModel
from exporter.disk import Scratch
from exporter.runtimes.ncnn_param import read_param

WARMUP = 2


@dataclass(frozen=True, slots=True)
class Ran:
    """What the program marked, and ncnn's version as it tells it."""

    regions: tuple[Region, ...]
    version: str


def count_inferences(load: Load, machine: Machine, runner: Path, *, regions: int, timeout_s: float) -> Ran:
    """One region an inference."""
    ran = _run(load, machine, runner, ["--runs", str(regions)], timeout_s)
    return Ran(tuple(r for r in ran.regions if r.layer == WHOLE), ran.version)


def count_layers(load: Load, machine: Machine, runner: Path, *, timeout_s: float) -> tuple[LayerCount, ...]:
    """One inference, layer by layer."""
    counts: dict[int, Counts] = {}
    for region in _run(load, machine, runner, ["--runs", "1", "--layers"], timeout_s).regions:
        counts[region.layer] = counts.get(region.layer, NONE) + region.counts
    found = []
    for number, layer in enumerate(read_param(load.path)):  # numbers beyond the layers are the program's own work around them
        if number in counts:
            found.append(LayerCount(layer.name, layer.kind, layer.kind in TENSOR_WORK, counts[number]))
    return tuple(found)


def model_of(load: Load) -> NcnnModel:
    """A load in the program's terms."""
    weights = None if load.zero_weights else load.path.with_suffix(".bin")
    return NcnnModel(load.path.name, load.path, weights, load.arrays, (), load.options)


def _run(load: Load, machine: Machine, runner: Path, more: Sequence[str], timeout_s: float) -> Ran:
    model = model_of(load)
    with Scratch() as scratch:
        folder = Path(scratch)
        for name, path in model.write(folder, "model").items():
            if path.parent != folder:
                (folder / name).symlink_to(path.resolve())
        words = [*model.words(str(folder / "model")), "--marks", "--threads", "1", "--warmup", str(WARMUP), *more]
        regions, said = machine.run([runner, *words], timeout_s=timeout_s, what=f"ncnn on {load.path.name}")
    return Ran(tuple(regions), str(json.loads(said)["version"]))
