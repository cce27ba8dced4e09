"""Adaptive rounding: whether each weight goes up or down is learnt, so that a layer's output is right, not each weight.

    W~ = s (floor(W / s) + h(V)),   minimise  ||Y - W~ X~||^2 + lambda sum(1 - |2 h(V) - 1|^beta)

Y is the float net's output, X~ what the layer reads in the rounded net. The sum over samples is held as X~ X~' and Y X~', so a step costs
the same for any number of samples. Both are centred, which leaves the mean to the bias. Source: Nagel et al. 2020,
https://arxiv.org/abs/2004.10568, sections 3 and 4.
"""

from collections.abc import Callable

import numpy as np

from exporter.array import Array
from exporter.quantization.assign import array_of
from exporter.quantization.correct import correct
from exporter.quantization.draft import Draft
from exporter.quantization.gauge import WORK, Gauge
from exporter.quantization.moments import Moments, Product, moments, products
from exporter.quantization.outcome import Repair
from exporter.quantization.switchboard import Feeds, Switchboard

STEPS = 600
"""Of Adam, a layer."""

RATE = 0.02
"""Learning rate of V."""

BETA = (20.0, 2.0)
"""Exponent of the term that drives h to 0 or 1, first and last."""

WARM = 0.2
"""Share of the steps without that term."""

ROUNDING = 0.02
"""Weight of that term, against the squared error of rounding to the nearest as 1."""

RIDGE = 1e-3
"""Of the mean square of X~, added to its diagonal: weights that few samples tell of stay near their own values."""

GAIN_DB = 0.1
"""The outcome stays only for so much on samples that it was not made from."""

LAYERS = 16
"""The worst layers only."""

WORTH = 0.01
"""Share of the noise of all weights together below which a layer is left alone."""

RUNS = 4
"""Over the samples to choose by, a layer: two for its moments, two to judge the outcome."""

JUDGING, SOLVING = 3.0, 0.5
"""Times the work that is allowed to everything else: more than that for all runs, or for one layer's steps, has to be asked for."""


def candidates(draft: Draft, gauge: Gauge, *, thorough: bool) -> list[Product]:
    """Layers that may be rounded anew, in the Graph's order; none where that takes long and was not asked for."""
    found = products(draft.graph, draft.points.weights)
    if thorough:
        return found
    found = [p for p in found if _steps(p, array_of(draft.graph, p.weights.weight)) <= SOLVING * WORK]
    return found if gauge.work(len(found) + RUNS * min(len(found), LAYERS)) <= JUDGING else []


def _steps(product: Product, weight: Array) -> int:
    """Multiply-accumulates of a layer's steps."""
    return STEPS * int(weight.size) * int(product.rows(weight).shape[2])


def adaround(draft: Draft, gauge: Gauge, layers: list[Product], seed: int) -> tuple[Draft, Repair]:
    """Round the weights of the worst layers anew, in the Graph's order; the outcome stays only if it helps.

    Args:
        draft: With its ranges.
        gauge: What measures.
        layers: Those to look at, as `candidates` gives them.
        seed: Of the places that are looked at in large values.
    """
    work = _Work(draft, gauge, layers, seed)
    before = gauge.confirm(work.board, work.feeds)
    for product in work.worst():
        work.attempt(product)
    how = draft.quantization.constants
    rounded = draft.with_constants(work.new, {p.weights.weight: how[p.weights.weight].scale for p in work.done})
    rounded, _ = correct(rounded, gauge)  # biases downstream made up for the old rounding
    after = gauge.confirm(work.board, work.board.feeds(rounded.quantization, graph=rounded.graph))
    kept = after.quality_db > before.quality_db + GAIN_DB
    return (rounded if kept else draft), Repair("adaround", kept, before, after, tuple(p.layer for p in work.done))


class _Work:
    """The rounded net as it is so far.

    Attributes:
        feeds: Of the rounded net.
        new: Constants rounded anew, by initializer name.
        done: Their layers.
    """

    def __init__(self, draft: Draft, gauge: Gauge, layers: list[Product], seed: int) -> None:
        self.how, self.gauge, self.seed = draft.quantization, gauge, seed
        self.products, names = layers, [p.layer for p in layers]
        self.board = Switchboard(draft.graph, self.how, draft.biases, values=gauge.values, raw=names, reads=names, base=draft.base)
        self.feeds = self.board.feeds(self.how)
        self.real = self.board.feeds(self.how, self.board.sites, self.board.constants)
        self.new: Feeds = {}
        self.done: list[Product] = []

    def worst(self) -> list[Product]:
        """Layers whose weights alone, rounded, make most noise at the outputs; in the Graph's order."""
        names = [p.weights.weight for p in self.products]
        noise = [self.gauge.choose(self.board, {**self.real, name: self.feeds[name]}).noise for name in names]
        ranked = sorted(range(len(noise)), key=lambda i: -noise[i])[:LAYERS]
        return [self.products[i] for i in sorted(ranked) if noise[i] > WORTH * sum(noise)]

    def attempt(self, product: Product) -> None:
        """Round one layer's weights anew, if the outputs gain by it."""
        new = self._rounded(product)
        trial = {**self.feeds, **new}
        if self.gauge.choose(self.board, trial).quality_db > self.gauge.choose(self.board, self.feeds).quality_db:
            self.feeds, self.new = trial, {**self.new, **new}
            self.done.append(product)

    def _rounded(self, product: Product) -> Feeds:
        """New weights on their grid, and the bias that goes with them."""
        w, how = product.weights, self.how.constants[product.weights.weight]
        weight = self.real[w.weight].astype(np.float64)
        m = moments(self.board, (self.feeds, self.real), product, self.gauge.choosing, self.seed)
        rows = product.rows(weight)
        scale = np.broadcast_to(how.scale.astype(np.float64).reshape(-1), rows.shape[0] * rows.shape[1]).reshape(*rows.shape[:2], 1)
        rounded = round_rows(rows, scale, m, how.limits[1])
        new: Feeds = {w.weight: product.weight_of(rounded, weight.shape).astype(np.float32)}
        if w.bias is not None:
            means = m.mean_y - np.einsum("gok,gk->go", rounded, m.mean_x)
            new[w.bias] = means.reshape(self.real[w.bias].shape).astype(np.float32)
        return new


def round_rows(rows: Array, scale: Array, m: Moments, largest: int) -> Array:
    """Weights on their grid.

    Args:
        rows: Float weights, (groups, outputs, inputs).
        scale: Of each row, (groups, outputs, 1).
        m: Moments of the layer, centred.
        largest: Stored number; the smallest is its negative.

    Returns:
        Of the rows' shape, whole multiples of the scale; for each row whichever of the learnt and the nearest rounding errs less.
    """
    size = np.trace(m.xx, axis1=1, axis2=2)[:, None, None] / m.xx.shape[1]
    ridge = np.maximum(RIDGE * size, 1e-12) * np.eye(m.xx.shape[1])  # inputs that are always 0 tell nothing
    xx, yx = m.xx + ridge, m.yx + rows @ ridge
    floor = np.floor(rows / scale)
    nearest = scale * np.clip(np.rint(rows / scale), -largest, largest)
    first = _error(nearest, xx, yx)
    unit = np.maximum(first - _error(_solved(xx, yx), xx, yx), 1e-30)[..., None]
    h = _learn(rows / scale - floor, floor, scale, lambda w: 2 * (w @ xx - yx) / unit)
    learnt = scale * np.clip(floor + (h >= 0.5), -largest, largest)
    return np.asarray(np.where((_error(learnt, xx, yx) < first)[..., None], learnt, nearest))


def _learn(start: Array, floor: Array, scale: Array, gradient_of: Callable[[Array], Array]) -> Array:
    """h(V) after Adam; the squared error is measured in that of the nearest rounding, row by row."""
    share = np.clip((np.clip(start, 0.01, 0.99) + 0.1) / 1.2, 1e-4, 1 - 1e-4)
    v = np.log(share / (1 - share))
    mean, square = np.zeros_like(v), np.zeros_like(v)
    for step in range(STEPS):
        sigmoid = 1 / (1 + np.exp(-v))
        h = np.clip(1.2 * sigmoid - 0.1, 0, 1)
        slope = np.where((h > 0) & (h < 1), 1.2 * sigmoid * (1 - sigmoid), 0)
        gradient = scale * gradient_of(scale * (floor + h))
        if step >= WARM * STEPS:
            done = (step / STEPS - WARM) / (1 - WARM)
            beta = BETA[1] + (BETA[0] - BETA[1]) * 0.5 * (1 + np.cos(done * np.pi))
            side = 2 * h - 1
            gradient = gradient - ROUNDING * 2 * beta * np.sign(side) * np.abs(side) ** (beta - 1)
        gradient = gradient * slope
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        v = v - RATE * (mean / (1 - 0.9 ** (step + 1))) / (np.sqrt(square / (1 - 0.999 ** (step + 1))) + 1e-12)
    return np.asarray(np.clip(1.2 / (1 + np.exp(-v)) - 0.1, 0, 1))


def _error(rows: Array, xx: Array, yx: Array) -> Array:
    """Squared error of each row but for a constant, (groups, outputs)."""
    return np.asarray(np.sum((rows @ xx - 2 * yx) * rows, axis=-1))


def _solved(xx: Array, yx: Array) -> Array:
    """The real weights that err least."""
    return np.asarray(np.swapaxes(np.linalg.solve(xx, np.swapaxes(yx, 1, 2)), 1, 2))
