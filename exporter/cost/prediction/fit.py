"""Constants that turn counts into milliseconds: what each thing costs on a core, and how quick each device of that core is.

Devices of one core share the shape of the costs (cycles an instruction, cycles a line that the cache lacks); each has a scale of its own
(its clock), and may move its constants away from the shape as far as its table insists: least squares on relative errors, none negative.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exporter.array import Array
from exporter.cost.prediction.least_squares import relative

ROUNDS = 12
"""Of shape and scales in turn; the change of the last is below 1e-6."""

Costs = Mapping[str, Array]
"""Net to what it counts, in a fixed order of columns."""

Table = Mapping[str, float]
"""Net to milliseconds on one device."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The constants of one core's devices.

    Attributes:
        shape: Milliseconds a unit of each column, on a device of scale 1.
        scales: Device to its scale.
        constants: Device to milliseconds a unit of each column.
    """

    shape: Array
    scales: Mapping[str, float]
    constants: Mapping[str, Array]

    def ms(self, device: str, cost: Array) -> float:
        """Milliseconds of something that counts so much."""
        return float(cost @ self.constants[device])


def fit(costs: Costs, tables: Mapping[str, Table], strength: float) -> Fit:
    """Fit one core.

    Args:
        costs: What each net counts; nets without one are left out.
        tables: Device to its table; a device without any counted net is left out.
        strength: How strongly a device is held to the shape; see `relative`.
    """
    rows = {device: _rows(costs, table) for device, table in tables.items() if any(net in costs for net in table)}
    scales = {device: float(np.median(y / a[:, 0])) for device, (a, y) in rows.items()}
    middle = float(np.median(list(scales.values())))
    scales = {device: scale / middle for device, scale in scales.items()}
    for _ in range(ROUNDS):
        shape = relative(np.vstack([a for a, _ in rows.values()]), np.concatenate([y / scales[d] for d, (_, y) in rows.items()]))
        scales = {device: _scale(a @ shape, y) for device, (a, y) in rows.items()}
    constants = {device: relative(a, y, scales[device] * shape, strength) for device, (a, y) in rows.items()}
    return Fit(shape, scales, constants)


def _rows(costs: Costs, table: Table) -> tuple[Array, Array]:
    nets = [net for net in table if net in costs]
    return np.array([costs[net] for net in nets], dtype=float), np.array([table[net] for net in nets])


def _scale(shaped: Array, y: Array) -> float:
    """The factor on `shaped` with the least relative error."""
    ratio = shaped / y
    return float(ratio.sum() / (ratio**2).sum())


def held_out(costs: Costs, tables: Mapping[str, Table], strength: float, nets: Sequence[str]) -> dict[str, dict[str, float]]:
    """Predictions for nets that no table of the core showed to the fit: device to net to milliseconds.

    Args:
        costs: As for `fit`.
        tables: As for `fit`.
        strength: As for `fit`.
        nets: Held out, one after the other.
    """
    found: dict[str, dict[str, float]] = {device: {} for device in tables}
    for net in nets:
        if net not in costs:
            continue
        others = {device: {n: ms for n, ms in table.items() if n != net} for device, table in tables.items()}
        fitted = fit(costs, others, strength)
        for device, table in tables.items():
            if net in table and device in fitted.constants:
                found[device][net] = fitted.ms(device, costs[net])
    return found
