"""Widths that can be chosen: classes of channels that share layers, what they weigh in each value, and which must go together."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from exporter.array import Array
from exporter.channels.classes import Channels
from exporter.channels.ties import Ties
from exporter.pruning.bundles import bundles


@dataclass(frozen=True)
class Block:
    """Classes of channels of the same layers: one width.

    Attributes:
        layers: Names of the layers that make them; depthwise ones, which follow, are left out.
        classes: Those that may go, int64 (n,).
        strata: Of each class, the number of its stratum: classes that occur equally often in the same values; int64 (n,).
        counts: How often a class of a stratum occurs in each value that any of them occurs in, int64 (values, strata).
        full: All channels of these values, int64 (values,).
        sizes: How often a class of a stratum occurs in each of `layers`, int64 (layers, strata).
        widths: All channels of these layers, int64 (layers,).
        unequal: A removal of r[t] classes of each stratum t is possible where `unequal @ r` is 0.
        summed: Whether values of these channels are added to one another, as residual streams are.
    """

    layers: tuple[str, ...]
    classes: Array
    strata: Array
    counts: Array
    full: Array
    sizes: Array
    widths: Array
    unequal: Array
    summed: bool

    @cached_property
    def bundles(self) -> Array:
        """Smallest removals: how many classes of each stratum, int64 (bundles, strata)."""
        return bundles(self.unequal, np.bincount(self.strata, minlength=self.counts.shape[1]))


def blocks_of(channels: Channels) -> tuple[Block, ...]:
    """Every width of a Graph that can be chosen, in the Graph's order."""
    made = {n: m for n, layer in channels.layers.items() if not layer.depthwise and (m := channels.made(layer)) is not None}
    groups = _joined([*made.values(), *(b.ravel() for b in channels.balanced)], channels.locked)
    sites = _sites(channels)
    mark = _signatures([row for _, row in sites], len(channels.locked))
    return tuple(_block(channels, members, made, sites, mark) for members in groups)


def _joined(arrays: list[Array], locked: Array) -> Iterator[Array]:
    """Classes that are not locked, those that meet in one array together."""
    ties = Ties()
    ties.fresh(len(locked))
    free = [np.unique(a[~locked[a]]) for a in arrays]
    for members in free:
        if len(members):
            ties.tie(members, members[:1])
    numbers, _ = ties.classes()
    of_layers = np.unique(np.concatenate([*free, np.zeros(0, np.int64)]))
    order = np.argsort(numbers[of_layers], kind="stable")
    cuts = np.flatnonzero(np.diff(numbers[of_layers][order])) + 1
    found = [part for part in np.split(of_layers[order], cuts) if len(part)]
    yield from sorted(found, key=lambda part: int(part[0]))


def _sites(channels: Channels) -> list[tuple[bool, Array]]:
    """Where channels are counted: every different value, and every row that must keep as many as its neighbours (True)."""
    values = {a.ravel().tobytes(): (False, a.ravel()) for a in channels.classes.values()}
    return [*values.values(), *((True, row) for b in channels.balanced for row in b)]


def _signatures(rows: list[Array], classes: int) -> Array:
    """A number for each class that is the same for classes that occur equally often in the same rows; uint64 (classes,)."""
    random = np.random.default_rng(0)
    mark = np.zeros(classes, np.uint64)
    for row in rows:
        members, counts = np.unique(row, return_counts=True)
        mark[members] += counts.astype(np.uint64) * random.integers(1, 1 << 63, dtype=np.uint64)
    return mark


def _block(channels: Channels, members: Array, made: dict[str, Array], sites: list[tuple[bool, Array]], mark: Array) -> Block:
    _, firsts, strata = np.unique(mark[members], return_index=True, return_inverse=True)
    samples = members[firsts]
    inside = np.zeros(len(channels.locked), bool)
    inside[members] = True
    names = [name for name, row in made.items() if inside[row].any()]
    rows = [row for _, row in sites if inside[row].any()]
    balanced = [b for b in channels.balanced if inside[b].any()]
    unequal = [_counted(row, samples) - _counted(b[0], samples) for b in balanced for row in b[1:]]
    return Block(
        tuple(names), members, strata,
        _stack([_counted(row, samples) for row in rows], len(samples)), np.array([len(row) for row in rows], np.int64),
        _stack([_counted(made[name], samples) for name in names], len(samples)), np.array([len(made[n]) for n in names], np.int64),
        _stack(unequal, len(samples)), bool(channels.summed[members].any()),
    )  # fmt: skip


def _counted(row: Array, samples: Array) -> Array:
    """How often each class occurs in a row."""
    return np.asarray((row[None, :] == samples[:, None]).sum(1), np.int64)


def _stack(rows: list[Array], width: int) -> Array:
    return np.stack(rows) if rows else np.zeros((0, width), np.int64)
