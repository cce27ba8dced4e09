"""Constants that turn counts into milliseconds: what each thing costs on a core, and how quick each device of that core is.

Devices of one core share the shape of the costs (cycles an instruction, cycles a line that the cache lacks); each has a scale of its own
(its clock), and may move its constants away from the shape as far as its table insists: the least relative errors, none negative.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exporter.array import Array
from exporter.cost.prediction.least_squares import absolute_weights, relative

ROUNDS, OWN_ROUNDS = 12, 6
"""Of shape and scales in turn, and of a device's own constants: further ones change no prediction by a thousandth."""

Rows = tuple[Array, Array]
"""What nets count, a row each, and their times."""

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
    """Fit one core: first the shape and the scales in turn, then each device's own constants; least absolute relative errors.

    Args:
        costs: What each net counts; nets without one are left out.
        tables: Device to its table; a device without any counted net is left out.
        strength: How strongly a device is held to the shape; see `relative`.
    """
    rows = {device: _rows(costs, table) for device, table in tables.items() if any(net in costs for net in table)}
    scales = {device: float(np.median(y / a[:, 0])) for device, (a, y) in rows.items()}
    middle = float(np.median(list(scales.values())))
    scales = {device: scale / middle for device, scale in scales.items()}
    weights = {device: np.ones(len(y)) for device, (_, y) in rows.items()}
    for _ in range(ROUNDS):
        shape = _shape(rows, scales, weights)
        scales = {device: _scale(a @ shape, y, weights[device]) for device, (a, y) in rows.items()}
        weights = {device: absolute_weights(scales[device] * (a @ shape) / y - 1) for device, (a, y) in rows.items()}
    return Fit(shape, scales, {device: _own(a, y, scales[device] * shape, strength) for device, (a, y) in rows.items()})


def _rows(costs: Costs, table: Table) -> Rows:
    nets = [net for net in table if net in costs]
    return np.array([costs[net] for net in nets], dtype=float), np.array([table[net] for net in nets])


def _shape(rows: Mapping[str, Rows], scales: Mapping[str, float], weights: Mapping[str, Array]) -> Array:
    """The constants that all devices share, each at its scale."""
    every = np.vstack([a for a, _ in rows.values()])
    times = np.concatenate([y / scales[device] for device, (_, y) in rows.items()])
    return relative(every, times, weights=np.concatenate([weights[device] for device in rows]))


def _scale(shaped: Array, y: Array, weights: Array) -> float:
    """The factor on `shaped` with the least relative error."""
    ratio = shaped / y
    return float((weights**2 * ratio).sum() / (weights**2 * ratio**2).sum())


def _own(a: Array, y: Array, prior: Array, strength: float) -> Array:
    """A device's constants, drawn towards those of its core at its scale."""
    constants = prior
    for _ in range(OWN_ROUNDS):
        constants = relative(a, y, prior, strength, absolute_weights(a @ constants / y - 1))
    return constants


def held_out(
    costs: Costs, tables: Mapping[str, Table], strength: float, nets: Sequence[str], kin: Mapping[str, Sequence[str]] | None = None
) -> dict[str, dict[str, float]]:
    """Predictions for nets that no table of the core showed to the fit: device to net to milliseconds.

    Args:
        costs: As for `fit`.
        tables: As for `fit`.
        strength: As for `fit`.
        nets: Held out, one after the other.
        kin: Net to others that are held out with it.
    """
    found: dict[str, dict[str, float]] = {device: {} for device in tables}
    for net in nets:
        if net not in costs:
            continue
        hidden = {net, *(kin or {}).get(net, ())}
        others = {device: {n: ms for n, ms in table.items() if n not in hidden} for device, table in tables.items()}
        fitted = fit(costs, others, strength)
        for device, table in tables.items():
            if net in table and device in fitted.constants:
                found[device][net] = fitted.ms(device, costs[net])
    return found
