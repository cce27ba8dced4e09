"""How many pictures a model gets right: the same count whatever runs it, a written file in its engine or a source in its framework."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.data import Dataset
from exporter.errors import DataError

BATCH = 100
"""Samples handed on at once."""

Run = Callable[[dict[str, Array]], Array]
"""Inputs by source name and layout, axis 0 counts samples, to scores (n, classes)."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares in 0..1.

    Attributes:
        top1: Share of samples whose label has the highest score.
        top5: Share whose label is among the five highest; None below six classes.
        n: Samples counted.
        right: Samples whose label has the highest score.
        seconds: Wall time of the whole count.
    """

    top1: float
    top5: float | None
    n: int
    right: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def score(run: Run, data: Dataset, *, tick: Callable[[int], None] = lambda done: None) -> Accuracy:
    """Count right answers on labelled data.

    Args:
        run: The model.
        data: With labels.
        tick: Told the number of samples done.

    Raises:
        DataError: Without labels, or when a label is beyond the model's classes.
    """
    start = time.perf_counter()
    ranks: list[Array] = []
    classes = 0
    for arrays, labels in data.batches(BATCH):
        if labels is None:
            raise DataError("the data have no labels", hint="give class folders, an .npz with x and y, or an idx pair")
        scores = run(arrays)
        ranks.append(rank_of_label(scores, labels))
        classes = scores[0].size
        tick(sum(map(len, ranks)))
    if not ranks:
        raise DataError("the data hold no samples", hint="look at the path given with --data")
    ranked = np.concatenate(ranks)
    right = int(np.sum(ranked == 0))
    top5 = float(np.mean(ranked < 5)) if classes > 5 else None
    return Accuracy(right / len(ranked), top5, len(ranked), right, time.perf_counter() - start)


def as_by_chance(right: int, n: int, classes: int) -> bool:
    """Whether so many right answers are no more than guessing gives, by two deviations; False below 32 samples, which tell nothing."""
    chance = n / classes
    return n >= 32 and right <= chance + 2 * np.sqrt(chance)


def rank_of_label(scores: Array, labels: Array) -> Array:
    """How many classes score above the label's: 0 is right, below 5 is in the top five.

    Args:
        scores: (n, classes), or (n, 1) where one number above 0.5 means class 1.
        labels: (n,), integers.

    Raises:
        DataError: If the scores are not one row a sample or a label is beyond the classes.
    """
    rows = scores.reshape(len(scores), -1) if scores.ndim > 2 and scores.size == len(scores) * max(scores.shape[1:]) else scores
    if rows.ndim != 2:
        raise DataError(
            f"the model gives {scores.shape[1:]} numbers a sample, not one score a class", hint="name the scores with --outputs"
        )
    if rows.shape[1] == 1:
        rows = np.concatenate([1 - rows, rows], axis=1)
    if len(labels) and int(labels.max()) >= rows.shape[1]:
        raise DataError(
            f"label {int(labels.max())} is beyond the model's {rows.shape[1]} classes", hint="give the model's class names with --labels"
        )
    order = np.argsort(-rows, axis=1, kind="stable")
    return np.asarray(np.argmax(order == labels[:, None], axis=1))
