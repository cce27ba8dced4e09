"""The order in which the channels of one width go, and the widths on the way that are worth stopping at."""

from dataclasses import dataclass

import numpy as np

from exporter.array import Array
from exporter.pruning.structure import Block

LEAST_SHARE = 4
"""No value keeps fewer than one in so many of its channels, nor fewer than a step."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A width on its way down.

    Attributes:
        block: The width.
        steps: Classes that go in each step, int64 arrays.
        scores: How much the dearest step so far matters, float64 (steps + 1,); 0 before the first.
        widths: Channels of each layer after so many steps, int64 (steps + 1, layers).
        stops: Numbers of steps that leave widths on the channel step, as far as they can be; ascending, the first is 0.
    """

    block: Block
    steps: tuple[Array, ...]
    scores: Array
    widths: Array
    stops: tuple[int, ...]

    def gone(self, steps: int) -> Array:
        """Classes that have gone after so many steps."""
        return np.concatenate([np.zeros(0, np.int64), *self.steps[:steps]])

    def fraction(self, steps: int) -> float:
        """Channels kept after so many steps, of 1."""
        return float(self.widths[steps].sum() / self.widths[0].sum())


def schedule(block: Block, scores: Array, channel_step: int) -> Schedule:
    """Least important first, every stratum losing the same share.

    Args:
        block: The width.
        scores: Importance of every class of the Graph, float64 (classes,).
        channel_step: Widths are multiples of it where that can be.
    """
    steps, taken = _taken(block, scores, channel_step)
    costs = [float(scores[classes].mean()) for classes in steps]
    sums = np.concatenate([np.zeros((1, block.counts.shape[1]), np.int64), np.cumsum(taken, axis=0)])
    widths = block.widths - sums @ block.sizes.T
    cumulative = np.maximum.accumulate(np.array([0.0, *costs]))
    return Schedule(block, steps, cumulative, widths, _stops(widths, channel_step))


def _taken(block: Block, scores: Array, channel_step: int) -> tuple[tuple[Array, ...], Array]:
    """The steps, and how many classes of each stratum each takes, int64 (steps, strata)."""
    queues = [_ascending(block.classes[block.strata == t], scores) for t in range(block.counts.shape[1])]
    have = np.array([len(q) for q in queues], np.int64)
    room = block.full - np.minimum(channel_step, -(-block.full // LEAST_SHARE))
    means = np.array([float(scores[q].mean()) for q in queues])
    if len(have) == 1 and not len(block.unequal):
        return _one_by_one(block, queues[0], room)
    found, rows, gone = [], [], np.zeros_like(have)
    while (bundle := _next(block, gone, have, room, means)) is not None:
        found.append(np.concatenate([q[g : g + n] for q, g, n in zip(queues, gone, bundle, strict=True)]))
        rows.append(bundle)
        gone = gone + bundle
    return tuple(found), np.array(rows, np.int64).reshape(-1, len(have))


def _one_by_one(block: Block, queue: Array, room: Array) -> tuple[tuple[Array, ...], Array]:
    """The usual case, without a choice."""
    last = min(len(queue), int((room // block.counts[:, 0]).min()))
    return tuple(queue[:last].reshape(-1, 1)), np.ones((last, 1), np.int64)


def _next(block: Block, gone: Array, have: Array, room: Array, means: Array) -> Array | None:
    """The bundle after which the stratum that lost most has lost least; then the one of least mean score."""
    after = gone + block.bundles
    fits = (after <= have).all(1) & (block.counts @ after.T <= room[:, None]).all(0)
    if not fits.any():
        return None
    lost = np.where(block.bundles > 0, after / have, 0.0).max(1)
    mean = (block.bundles @ means) / block.bundles.sum(1)
    best = min(np.flatnonzero(fits), key=lambda i: (lost[i], mean[i]))
    return np.asarray(block.bundles[best])


def _ascending(classes: Array, scores: Array) -> Array:
    return classes[np.argsort(scores[classes], kind="stable")]


def _stops(widths: Array, channel_step: int) -> tuple[int, ...]:
    """Of each stretch of `channel_step` channels, the number of steps that leaves most channels in layers on the step."""
    lost = (widths[0] - widths).mean(1)
    off = ((widths % channel_step != 0) * widths).sum(1)
    window = np.ceil(lost / channel_step - 1e-9).astype(np.int64)
    best = [min(np.flatnonzero(window == w).tolist(), key=lambda i: (off[i], i)) for w in np.unique(window)]
    return tuple(i for i in best if i == 0 or off[i] <= off[0])
