"""What is removed: how far each width of a Graph goes down, and what that leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from exporter.array import Array
from exporter.channels.classes import Channels
from exporter.cost.count import Totals, totals
from exporter.graph import Graph
from exporter.pruning.schedule import Schedule, schedule
from exporter.pruning.slice_rules import promised, sliced
from exporter.pruning.structure import blocks_of


@dataclass(frozen=True)
class Plan:
    """Widths chosen.

    Attributes:
        channels: Of the whole Graph.
        schedules: Of each width.
        steps: How many steps of each are taken.
    """

    channels: Channels
    schedules: tuple[Schedule, ...]
    steps: tuple[int, ...]

    @cached_property
    def keep(self) -> Array:
        """Whether each class of channels stays, bool (classes,)."""
        keep = np.ones(len(self.channels.locked), bool)
        for one, steps in zip(self.schedules, self.steps, strict=True):
            keep[one.gone(steps)] = False
        return keep

    @cached_property
    def cost(self) -> Totals:
        """What the sliced Graph will cost, counted on it."""
        return totals(promised(self.channels, self.keep))

    def apply(self) -> Graph:
        """The sliced Graph; the whole one stays as it is."""
        return sliced(self.channels, self.keep)

    @property
    def removed(self) -> Mapping[str, Array]:
        """Output channels that each layer loses, int64, by layer name."""
        made = {name: self.channels.made(layer) for name, layer in self.channels.layers.items()}
        return {name: gone for name, m in made.items() if m is not None and len(gone := np.flatnonzero(~self.keep[m]))}

    @cached_property
    def kept(self) -> Mapping[str, Array]:
        """Output channels that each layer keeps, int64, by layer name; all layers."""
        made = {name: self.channels.made(layer) for name, layer in self.channels.layers.items()}
        layers = self.channels.layers
        return {name: np.arange(layers[name].rows) if m is None else np.flatnonzero(self.keep[m]) for name, m in made.items()}


def schedules_of(channels: Channels, scores: Array, channel_step: int = 8) -> tuple[Schedule, ...]:
    """How every width of a Graph goes down.

    Args:
        channels: Of the Graph.
        scores: Of every class; see `class_scores`.
        channel_step: Widths are multiples of it where that can be.
    """
    return tuple(schedule(block, scores, channel_step) for block in blocks_of(channels))
