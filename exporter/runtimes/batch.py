"""What every engine's Session inherits: many samples in one request, and the timing loop."""

import time
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import EngineError


class BatchSession(ABC):
    """A Session that runs one sample can run many, one after the other, for one message to the child instead of many.

    Attributes:
        first_ms: Time of the first inference ever, None before it.
        ready: Whether `run` was given arrays, which `time` uses again.
    """

    first_ms: float | None
    ready: bool

    @abstractmethod
    def run(self, arrays: dict[str, Array], tensors: list[str] | None = None) -> tuple[dict[str, Any], dict[str, Array]]:
        """One inference on one sample; see `runtimes.run`."""

    @abstractmethod
    def again(self) -> None:
        """One inference on the arrays of the last `run`, as it is timed."""

    def time(self, runs: int, warmup: int = 0) -> tuple[dict[str, Any], dict[str, Array]]:
        """Time inferences on the arrays of the last `run`: facts["ms"], one a run, and facts["cpu_ms"], processor time of all threads.

        Raises:
            EngineError: If nothing was run yet.
        """
        if not self.ready:
            raise EngineError("nothing to time: no input was given yet", hint="run one sample first")
        for _ in range(warmup):
            self.again()
        timed = [self._timed() for _ in range(runs)]
        return {"ms": [wall for wall, _ in timed], "cpu_ms": [cpu for _, cpu in timed], "first_ms": self.first_ms}, {}

    def _timed(self) -> tuple[float, float]:
        """Milliseconds passed, and of processor time."""
        cpu, started = time.process_time(), time.perf_counter()
        self.again()
        passed, used = (time.perf_counter() - started) * 1e3, (time.process_time() - cpu) * 1e3
        self.first_ms = passed if self.first_ms is None else self.first_ms
        return passed, used

    def run_many(self, arrays: dict[str, Array], tensors: list[str] | None = None) -> tuple[dict[str, Any], dict[str, Array]]:
        """`run` on every sample: arrays and answers have one more axis in front, which counts samples."""
        count = len(next(iter(arrays.values())))
        rows = [self.run({k: v[i] for k, v in arrays.items()}, tensors)[1] for i in range(count)]
        return {}, {name: np.stack([row[name] for row in rows]) for name in rows[0]}
