"""How good predictions are: the error on nets that were held out, table by table, beside simpler ways to predict."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exporter.array import Array
from exporter.cost.prediction.counted import NetCount, counted
from exporter.cost.prediction.fit import held_out
from exporter.cost.prediction.published import published

FIRST = (
    "alexnet", "blazeface", "efficientnet_b0", "googlenet", "mnasnet", "mobilenet", "mobilenet_ssd", "mobilenet_v2", "mobilenet_v3",
    "proxylessnasnet", "regnety_400m", "resnet18", "resnet50", "shufflenet", "shufflenet_v2", "squeezenet", "yolov4-tiny",
    "googlenet_int8", "mobilenet_int8", "resnet18_int8", "resnet50_int8", "squeezenet_int8",
)  # fmt: skip
"""The nets that the first experiment with one constant a table was judged on."""

Columns = Callable[[NetCount, str], Array]
"""What a net counts on a core, as numbers that cost time."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors on nets held out: device to net to prediction / time - 1."""

    by_device: Mapping[str, Mapping[str, float]]

    def tables(self) -> dict[str, float]:
        """Mean absolute error of each device's table."""
        return {device: float(np.mean(np.abs(list(found.values())))) for device, found in self.by_device.items()}

    @property
    def median(self) -> float:
        """Of the tables."""
        return float(np.median(list(self.tables().values())))

    @property
    def worst(self) -> float:
        """Of the tables."""
        return max(self.tables().values())

    def of(self, nets: Sequence[str]) -> "Errors":
        """On some nets alone."""
        return Errors({device: {n: e for n, e in found.items() if n in nets} for device, found in self.by_device.items()})


def evaluate(columns: Columns, strength: float, *, fitted: Sequence[str] = (), families: bool = False) -> Errors:
    """Hold out every net in turn, from all tables of its core, and predict it.

    Args:
        columns: What is weighed.
        strength: See `fit`.
        fitted: The nets that are looked at at all; none for all that were counted.
        families: Hold out with a net all that share its name's first word ("squeezenet", "squeezenet_ssd", "squeezenet_int8").
    """
    found: dict[str, dict[str, float]] = {}
    for core, nets in counted().items():
        costs = {net: columns(count, core) for net, count in nets.items() if not fitted or net in fitted}
        tables = {d.name: {n: ms for n, ms in d.ms.items() if n in costs} for d in published().devices.values() if d.core == core}
        groups = [[m for m in costs if families and family(m) == family(net)] for net in costs]
        predicted = held_out(costs, tables, strength, list(costs), dict(zip(costs, groups, strict=True)))
        for device, got in predicted.items():
            found[device] = {net: ms / tables[device][net] - 1 for net, ms in got.items()}
    return Errors(found)


def family(net: str) -> str:
    """Nets of one family share layers: all whose names have the same word before a version, an underscore or a hyphen."""
    return re.split(r"v?\d|[_-]", net)[0]
