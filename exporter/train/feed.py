"""Batches of a data set in a new order each epoch: from memory where it fits, else read ahead by a thread."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from exporter.array import Array
from exporter.data import Dataset
from exporter.data.dataset import Some
from exporter.errors import DataError

MEMORY_BYTES = 2 * 10**9
"""Data up to this size are kept as arrays."""

LEAST = 8
"""Fewer samples are no training data."""

MOST_HELD_OUT = 2000
"""More held-out samples choose no better, and cost time."""

Batch = tuple[dict[str, Array], Array | None]


class Feed:
    """Some samples of a data set.

    Args:
        data: The data set.
        indices: Which samples.
    """

    def __init__(self, data: Dataset, indices: Sequence[int]) -> None:
        self.data, self.indices = data, np.sort(np.asarray(indices, np.int64))
        first = next(iter(data.samples.read([int(self.indices[0])])))
        fits = sum(x.nbytes for x in first.values()) * len(self.indices) <= MEMORY_BYTES
        self._kept = self._read(self.indices) if fits else None

    def __len__(self) -> int:
        return len(self.indices)

    def shuffled(self, batch: int, seed: Sequence[int]) -> Iterator[Batch]:
        """All samples in an order of that seed, in full batches; what is left over waits for another epoch's order."""
        order = np.random.default_rng(list(seed)).permutation(len(self))
        size = min(batch, len(self))
        yield from self._batches([np.sort(order[i : i + size]) for i in range(0, len(self) - size + 1, size)])

    def in_order(self, batch: int) -> Iterator[Batch]:
        """All samples; the last batch may be smaller."""
        yield from self._batches([np.arange(i, min(i + batch, len(self))) for i in range(0, len(self), batch)])

    def _batches(self, parts: Sequence[Array]) -> Iterator[Batch]:
        if self._kept is not None:
            for part in parts:
                yield {name: x[part] for name, x in self._kept.items()}, self._labels(part)
            return
        with ThreadPoolExecutor(1) as reader:
            ahead: Future[dict[str, Array]] = reader.submit(self._read, self.indices[parts[0]])
            for i, part in enumerate(parts):
                found = ahead.result()
                if i + 1 < len(parts):
                    ahead = reader.submit(self._read, self.indices[parts[i + 1]])
                yield found, self._labels(part)

    def _read(self, indices: Array) -> dict[str, Array]:
        rows = list(self.data.samples.read(indices.tolist()))
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _labels(self, part: Array) -> Array | None:
        return None if self.data.labels is None else self.data.labels[self.indices[part]]


def halves(data: Dataset, share: float, seed: int) -> tuple[Feed, Feed]:
    """The samples to train on, and those held out: a share of them, at most `MOST_HELD_OUT`, drawn by the seed.

    Raises:
        DataError: If there are too few samples.
    """
    train, held = split(data, share, seed)
    return Feed(data, train), Feed(data, held)


def split(data: Dataset, share: float, seed: int) -> tuple[list[int], list[int]]:
    """The indices of `halves`.

    Raises:
        DataError: If there are too few samples.
    """
    if len(data) < LEAST:
        raise DataError(f"{len(data)} samples are too few to train on", hint=f"give {LEAST} or more; hundreds a class are usual")
    order = np.random.default_rng([seed, len(data)]).permutation(len(data))
    count = min(max(round(len(data) * share), 1), MOST_HELD_OUT)
    return order[count:].tolist(), order[:count].tolist()


def held_out(data: Dataset, share: float, seed: int) -> Dataset:
    """The samples that `halves` holds out, as a data set."""
    chosen = sorted(split(data, share, seed)[1])
    labels = None if data.labels is None else data.labels[chosen]
    return Dataset(Some(data.samples, chosen), labels, data.class_names, data.notes)
