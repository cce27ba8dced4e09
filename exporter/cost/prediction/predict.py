"""Milliseconds on a device, with what they are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.cost.prediction.model import CoreModel

BAND = (0.1, 0.9)
"""Quantiles of time / prediction on nets held out: between them lie four times of five."""

ENOUGH = 8
"""Nets held out that a band of a device's own needs; below, all devices of its core lend theirs."""

ENOUGH_PAIRS = 5
"""Likewise, nets that are published in floats and in int8."""

INT8 = "_int8"
"""Behind a published net's name: the same in int8."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A latency, predicted.

    Attributes:
        device: Where.
        core: Its core.
        ms: Of one thread.
        low: Of the band in which four of five published nets lay around their predictions, each made without the net.
        high: Likewise.
        held_out_error: Mean |prediction - time| / time of them.
        held_out_nets: How many.
    """

    device: str
    core: str
    ms: float
    low: float
    high: float
    held_out_error: float
    held_out_nets: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether int8 is faster on a device.

    Attributes:
        device: Where.
        core: Its core.
        ratio: Time of the int8 file, of the other's.
        low: Of the band of this ratio, from published nets of which both are known.
        high: Likewise.
        faster: True or False where the band is on one side of 1, else None.
    """

    device: str
    core: str
    ratio: float
    low: float
    high: float

    @property
    def faster(self) -> bool | None:
        """The answer; None where it is too close to tell."""
        return None if self.low <= 1 <= self.high else self.ratio < 1

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "faster": self.faster}


def predict(model: CoreModel, device: str, cost: Array) -> Prediction:
    """The time of something that counts so much."""
    ms = model.fit.ms(device, cost)
    low, high = _device_band(model, device)
    return Prediction(device, model.core, ms, ms * low, ms * high, model.error(device), len(model.ratios[device]))


def compare(model: CoreModel, device: str, plain: Array, int8: Array) -> Comparison:
    """The time of an int8 file, of that of the same net in floats."""
    ratio = model.fit.ms(device, int8) / model.fit.ms(device, plain)
    own = list(pair_ratios(model.ratios[device]).values())
    if len(own) < ENOUGH_PAIRS:
        own = [r for ratios in model.ratios.values() for r in pair_ratios(ratios).values()]
    low, high = band(own)
    return Comparison(device, model.core, ratio, ratio * low, ratio * high)


def _device_band(model: CoreModel, device: str) -> tuple[float, float]:
    own = list(model.ratios[device].values())
    if len(own) < ENOUGH:
        own = [r for ratios in model.ratios.values() for r in ratios.values()]
    return band(own)


def band(ratios: Sequence[float]) -> tuple[float, float]:
    """The band, which holds the prediction itself even where all nets lay on one side of theirs."""
    low, high = np.quantile(ratios, BAND)
    return min(float(low), 1.0), max(float(high), 1.0)


def pair_ratios(ratios: Mapping[str, float]) -> dict[str, float]:
    """Of the nets that are published both ways: the ratio of their times, of the predicted one."""
    return {net: ratios[net + INT8] / ratios[net] for net in ratios if net + INT8 in ratios}
