"""Many samples in one request: what every engine's Session inherits."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from exporter.array import Array


class BatchSession(ABC):
    """A Session that runs one sample can run many, one after the other, for one message to the child instead of many."""

    @abstractmethod
    def run(self, arrays: dict[str, Array], tensors: list[str] | None = None) -> tuple[dict[str, Any], dict[str, Array]]:
        """One inference on one sample; see `runtimes.run`."""

    def run_many(self, arrays: dict[str, Array], tensors: list[str] | None = None) -> tuple[dict[str, Any], dict[str, Array]]:
        """`run` on every sample: arrays and answers have one more axis in front, which counts samples."""
        count = len(next(iter(arrays.values())))
        rows = [self.run({k: v[i] for k, v in arrays.items()}, tensors)[1] for i in range(count)]
        return {}, {name: np.stack([row[name] for row in rows]) for name in rows[0]}
