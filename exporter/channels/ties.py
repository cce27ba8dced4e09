"""Union-find over channel ids, with locks."""

from dataclasses import dataclass, field

import numpy as np

from exporter.array import Array


@dataclass(slots=True)
class Ties:
    """Ids that live and die together.

    Attributes:
        parent: Parent of each id in the forest.
        fixed: Arrays of ids that must stay.
    """

    parent: list[int] = field(default_factory=list)
    fixed: list[Array] = field(default_factory=list)

    def fresh(self, count: int) -> Array:
        """New ids, tied to nothing; int64 (count,)."""
        start = len(self.parent)
        self.parent.extend(range(start, start + count))
        return np.arange(start, start + count)

    def find(self, one: int) -> int:
        """The id that stands for a class of tied ids."""
        parent = self.parent
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    def tie(self, a: Array, b: Array) -> None:
        """Tie ids pairwise; both arrays broadcast to one shape."""
        left, right = np.broadcast_arrays(a, b)
        pairs = np.stack([left.ravel(), right.ravel()], 1)
        for x, y in np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).tolist():
            self.parent[self.find(x)] = self.find(y)

    def lock(self, ids: Array) -> None:
        """These ids stay."""
        self.fixed.append(np.unique(ids))

    def classes(self) -> tuple[Array, Array]:
        """The class of each id, numbered from 0, int64 (ids,); and whether each class is locked, bool (classes,)."""
        roots = np.array([self.find(i) for i in range(len(self.parent))], np.int64)
        _, numbers = np.unique(roots, return_inverse=True)
        locked = np.zeros(int(numbers.max(initial=-1)) + 1, bool)
        for ids in self.fixed:
            locked[numbers[ids]] = True
        return numbers, locked
