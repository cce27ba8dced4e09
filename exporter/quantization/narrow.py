"""Scores that only a final Softmax reads: their integers span what it tells apart, in finer steps.

Classes with a probability below 2^-14 each and 2^-10 together need not be told apart, nor by how much more than T = 14 ln 2 the best one is
ahead of all others together. Of a sample's scores z of C classes, with the best m and l = log(sum of the others' exponentials), numbers
below m - D, D = max(T, log(C - 1) + 10 ln 2), may be anything less, and where m is above l + T it may be anything more:

    -low = room(D - m),   high = room(min(m, l + T)),   room(e) = max(e) + SPARE (max(e) - the ninth decile of e)    over samples

Where the best classes are beyond an end they are one number, so there is room for samples that reach further than those seen.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from exporter.array import Array
from exporter.formats.points import Range, Scheme
from exporter.graph.qdq import insert
from exporter.graph.scores import softmax_scores
from exporter.parity import HALF_FLOOR
from exporter.quantization.assign import activation
from exporter.quantization.draft import Draft
from exporter.quantization.gauge import Gauge
from exporter.quantization.outcome import Repair

BEHIND = -float(np.log(HALF_FLOOR))
"""T: classes that are so far behind the others have no chance."""

TOGETHER = 10 * float(np.log(2))
"""Of a thousand such classes: a quarter of a step of an 8-bit probability."""

SOFTMAX = "softmax"
"""Stands for the calibrator of such a range."""

SPARE = 0.5
"""Of what the furthest tenth of the samples spans: above, of 0, 0.5 and 1, probabilities of eleven nets were nearest with 0.5."""

GAIN_DB = 0.1
"""The outcome stays only for so much. Each sample is judged by the range that the others ask for."""


def scores(draft: Draft, gauge: Gauge) -> dict[str, str]:
    """Rounded values whose scale is theirs alone and whose numbers only a final Softmax reads, by name; with the name of its input."""
    read = {name: source for name, source in softmax_scores(draft.graph).items() if source in gauge.values}
    groups = [g.values for g in draft.points.groups if g.fixed is None and read.keys() >= set(g.values)]
    return {name: read[name] for values in groups for name in values}


def narrow(draft: Draft, gauge: Gauge) -> tuple[Draft, Repair]:
    """Narrow the ranges of scores, of which there must be some; the outcome stays only if it helps."""
    found = scores(draft, gauge)
    how = draft.quantization
    others = {name: numbers for name, numbers in how.values.items() if name not in found}
    real, raw = gauge.everything(gauge.graph), gauge.everything(insert(draft.graph, replace(how, values=others)))
    ends = {name: reach(real[source]) for name, source in found.items()}
    wide, fine = dict(raw), dict(raw)
    for name, source in found.items():
        wide[source] = how.values[name].dequantize(how.values[name].quantize(raw[source]))
        fine[source] = _each_by_others(raw[source], ends[name], draft.ranges[name], draft.points.scheme)
    before, after = gauge.judged(real, wide), gauge.judged(real, fine)
    kept = after.quality_db > before.quality_db + GAIN_DB
    ranges = {name: _both(draft.ranges[name], span(ends[name])) for name in found}
    return draft.with_ranges({**draft.ranges, **ranges}) if kept else draft, Repair("narrow", kept, before, after, tuple(found))


def _each_by_others(raw: Array, ends: Array, chosen: Range, scheme: Scheme) -> Array:
    """Scores as they would be rounded if their sample had not been there."""
    rows = []
    for i in range(len(raw)):
        how = activation(_both(chosen, span(np.delete(ends, i, axis=1))), scheme)
        rows.append(how.dequantize(how.quantize(raw[i : i + 1])))
    return np.concatenate(rows)


def widened(draft: Draft, narrowed: Iterable[str]) -> Draft:
    """The ranges of narrowed values as they were seen: a softened Softmax, which nets are trained with, tells more apart."""
    return draft.with_ranges({**draft.ranges, **{name: draft.statistics.values[name].seen for name in narrowed}})


def reach(z: Array) -> Array:
    """How far below and above 0 each sample needs the range to go: (2, n).

    Args:
        z: Scores, (n, classes), or of other shapes that hold as much.
    """
    rows = np.sort(z.reshape(len(z), -1).astype(np.float64), axis=1)
    best, others = rows[:, -1], np.logaddexp.reduce(rows[:, :-1], axis=1)
    behind = max(BEHIND, TOGETHER + float(np.log(rows.shape[1] - 1)))
    return np.stack([behind - best, np.minimum(best, others + BEHIND)])


def span(ends: Array) -> Range:
    """The range for samples that reach so far, and some more; see `reach`."""
    largest = ends.max(axis=1)
    low, high = largest + SPARE * (largest - np.quantile(ends, 0.9, axis=1))
    return -float(low), float(high)


def _both(chosen: Range, needed: Range) -> Range:
    return max(chosen[0], needed[0]), min(chosen[1], needed[1])
