"""The model of each core, fitted to the published tables and to what was learned from phones; which columns and how strongly they are held
together was chosen by the error on nets held out (docs/decisions/0025).
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exporter.array import Array
from exporter.cost.instructions import NONE, Counts
from exporter.cost.prediction.counted import NetCount, counted
from exporter.cost.prediction.fit import Fit, Table, fit, held_out
from exporter.cost.prediction.published import published
from exporter.cost.segments import TENSOR_WORK

MILLION = 1e6
STRENGTH = 1.0
"""How strongly a device is held to its core's shape; see `least_squares.relative`."""

COLUMNS = ("issue", "total", "branch", "l1_misses", "l2_misses", "beside")
"""What costs time: cycles that issuing alone takes, instructions, branches, lines that come from the second level of cache, those that come
from beyond it, and what instructions of non-tensor work cost more than others."""


@dataclass(frozen=True, slots=True)
class Part:
    """A layer, or what the engine does beside them.

    Attributes:
        counts: Its instructions.
        tensor_work: Convolution or matrix product.
    """

    counts: Counts
    tensor_work: bool


@dataclass(frozen=True, slots=True)
class Width:
    """How many instructions a core can begin in a cycle, and how many of them on 128-bit vectors."""

    all: int
    vector: int


WIDTHS = {"cortex-a53": Width(2, 1), "cortex-a72": Width(3, 1), "cortex-a76": Width(4, 2)}
"""Source: Arm's Software Optimization Guides of these cores."""


def issue(counts: Counts, width: Width) -> float:
    """Cycles that a layer's instructions take at the least: whichever is scarce, slots in all or slots of the vector unit."""
    return max(counts.total / width.all, counts.simd_fp / width.vector)


def cost(parts: Iterable[Part], core: str) -> Array:
    """What the model weighs, in millions."""
    every = tuple(parts)
    cycles = sum(issue(part.counts, WIDTHS[core]) for part in every)
    whole = sum((part.counts for part in every), NONE)
    beside = sum(part.counts.total for part in every if not part.tensor_work)
    return np.array([cycles, whole.total, whole.branch, whole.l1_misses, whole.l2_misses, beside]) / MILLION


def net_cost(net: NetCount, core: str) -> Array:
    """The same of a published net."""
    return cost((Part(layer.counts, layer.kind in TENSOR_WORK) for layer in net.layers), core)


@dataclass(frozen=True, slots=True)
class Learned:
    """Times that were measured on a phone.

    Attributes:
        device: Its name; one of the published devices, or a new one.
        core: The core that ran.
        costs: By file, what it counts on that core.
        ms: By file, the least time.
    """

    device: str
    core: str
    costs: Mapping[str, Array]
    ms: Table


@dataclass(frozen=True, slots=True)
class CoreModel:
    """One core's devices.

    Attributes:
        core: Which.
        fit: The constants.
        ratios: Device to net to time / prediction, the prediction made without that net.
    """

    core: str
    fit: Fit
    ratios: Mapping[str, Mapping[str, float]]

    def errors(self, device: str) -> list[float]:
        """|prediction - time| / time of every net held out."""
        return [abs(1 / ratio - 1) for ratio in self.ratios[device].values()]

    def error(self, device: str) -> float:
        """Their mean; of a device without any, that of all devices."""
        own = self.errors(device) or [e for d in self.ratios for e in self.errors(d)]
        return float(np.mean(own))


def core_model(core: str, learned: Sequence[Learned] = ()) -> CoreModel:
    """The model of a core."""
    return _made(core, learned) if learned else _published(core)


@functools.cache
def _published(core: str) -> CoreModel:
    return _made(core, ())


def _made(core: str, learned: Sequence[Learned]) -> CoreModel:
    costs = {net: net_cost(found, core) for net, found in counted()[core].items()}
    tables: dict[str, dict[str, float]] = {d.name: dict(d.ms) for d in published().devices.values() if d.core == core}
    for own in learned:
        if own.core == core:
            costs |= own.costs
            tables.setdefault(own.device, {}).update(own.ms)
    tables = {device: {net: ms for net, ms in table.items() if net in costs} for device, table in tables.items()}
    every = list(dict.fromkeys(net for table in tables.values() for net in table))
    predicted = held_out(costs, tables, STRENGTH, every)
    ratios = {device: {net: tables[device][net] / ms for net, ms in found.items()} for device, found in predicted.items()}
    return CoreModel(core, fit(costs, tables, STRENGTH), ratios)
