"""A data set: samples decoded one after the other, never all at once."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from exporter.array import Array
from exporter.errors import DataError
from exporter.preprocessing import Preprocessing

Sample = dict[str, Array]
"""Preprocessed float32 arrays by input name, in the source's layout, without the batch axis."""


class Samples(Protocol):
    """Where samples come from."""

    @property
    def names(self) -> Sequence[str]:
        """A name for each sample."""

    def read(self, indices: Sequence[int]) -> Iterator[Sample]:
        """The samples of ascending indices, one at a time."""

    @property
    def prep(self) -> Mapping[str, Preprocessing]:
        """How each input is made, by name; those left out are used as they are."""

    def update(self, digest: "hashlib._Hash", indices: Sequence[int] | None = None) -> None:
        """Feed everything the samples (those of some indices only, where given) are made from to a hash."""

    def transparent(self, indices: Sequence[int] | None = None) -> int:
        """How many of them (of some indices only, where given) are picture files with an alpha channel."""


@dataclass(frozen=True)
class Some:
    """Some of the samples of others.

    Attributes:
        of: The others.
        indices: Which, ascending.
    """

    of: Samples
    indices: Sequence[int]

    @cached_property
    def names(self) -> Sequence[str]:
        """See `Samples`."""
        return [self.of.names[i] for i in self.indices]

    @property
    def prep(self) -> Mapping[str, Preprocessing]:
        """See `Samples`."""
        return self.of.prep

    def read(self, indices: Sequence[int]) -> Iterator[Sample]:
        """See `Samples`."""
        return self.of.read([self.indices[i] for i in indices])

    def update(self, digest: "hashlib._Hash", indices: Sequence[int] | None = None) -> None:
        """See `Samples`."""
        self.of.update(digest, self._outer(indices))

    def transparent(self, indices: Sequence[int] | None = None) -> int:
        """See `Samples`."""
        return self.of.transparent(self._outer(indices))

    def _outer(self, indices: Sequence[int] | None) -> Sequence[int]:
        return self.indices if indices is None else [self.indices[i] for i in indices]


@dataclass
class Dataset:
    """Samples in a fixed order, with labels where known.

    Attributes:
        samples: Where they come from.
        labels: Class index of each sample, int64 (n,); None where unknown.
        class_names: By class index; None where unknown.
        notes: What a user should know about how the data was read.
    """

    samples: Samples
    labels: Array | None = None
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.labels is not None and len(self.labels) != len(self):
            raise DataError(f"{len(self)} samples, but {len(self.labels)} labels", hint="give the labels that belong to these samples")

    def __len__(self) -> int:
        return len(self.samples.names)

    @property
    def names(self) -> Sequence[str]:
        """Name of each sample: its file below the data's folder, or FILE[index]."""
        return self.samples.names

    @property
    def prep(self) -> Mapping[str, Preprocessing]:
        """How each input is made, by name; those left out are used as they are."""
        return self.samples.prep

    @cached_property
    def sha256(self) -> str:
        """Over the names, contents and labels of all samples."""
        digest = hashlib.sha256()
        self.samples.update(digest)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels, np.int64).tobytes())
        digest.update("\n".join(self.class_names or ()).encode())
        return digest.hexdigest()

    def batches(self, size: int) -> Iterator[tuple[dict[str, Array], Array | None]]:
        """All samples in order: inputs by name, axis 0 counts up to `size` samples, and their labels."""
        yield from self._batches(range(len(self)), size)

    def pick(self, n: int) -> tuple[dict[str, Array], Array | None]:
        """Up to n samples, spread evenly over the data (the first is always there), as one batch."""
        return next(self._batches(self.spread(n), max(n, 1)))

    def spread(self, n: int) -> list[int]:
        """The indices that `pick` takes, ascending."""
        count = min(max(n, 1), len(self))
        return [i * len(self) // count for i in range(count)]

    def some(self, n: int) -> "Dataset":
        """Up to n samples, those that `pick` takes, as a data set; itself where it has no more."""
        if len(self) <= n:
            return self
        chosen = self.spread(n)
        labels = None if self.labels is None else self.labels[chosen]
        return Dataset(Some(self.samples, chosen), labels, self.class_names, self.notes)

    def _batches(self, indices: Sequence[int], size: int) -> Iterator[tuple[dict[str, Array], Array | None]]:
        samples = self.samples.read(indices)
        for chunk in _chunks(indices, size):
            rows = [next(samples) for _ in chunk]
            labels = None if self.labels is None else self.labels[list(chunk)]
            yield {name: np.stack([row[name] for row in rows]) for name in rows[0]}, labels


def _chunks(indices: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]
