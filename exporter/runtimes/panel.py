"""Many files in one process of their engine, timed turn by turn: what little differences between them can be told by."""

import importlib
import random
from typing import Any

from exporter.array import Array
from exporter.runtimes.batch import BatchSession


class Session:
    """Several loaded models; see `runtimes.run`.

    Args:
        module: Of the engine, below `exporter`.
        paths: The files.
        threads: Of the engine.
        options: The engine's own.

    Raises:
        EngineError: If the engine refuses a file.
    """

    def __init__(self, module: str, paths: list[str], threads: int, options: dict[str, Any]) -> None:
        kind = importlib.import_module(f"exporter.{module}").Session
        self.sessions: list[BatchSession] = [kind(path, threads, dict(options)) for path in paths]
        facts: dict[str, Any] = self.sessions[0].facts  # type: ignore[attr-defined]
        self.facts: dict[str, Any] = {"engine": facts["engine"], "version": facts["version"]}

    def feed(self, index: int, arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
        """Give a file the arrays that it is timed on, and run it once."""
        self.sessions[index].run(arrays)
        return {}, {}

    def time(self, rounds: int, seed: int) -> tuple[dict[str, Any], dict[str, Array]]:
        """Time all files, each round in another order; before each timed run an untimed one of the same file fills the caches.

        Returns:
            facts["ms"] and facts["cpu_ms"]: one list a round, with one number a file.
        """
        shuffle = random.Random(seed)
        wall, cpu = [], []
        for _ in range(rounds):
            order = list(range(len(self.sessions)))
            shuffle.shuffle(order)
            taken = {i: self.sessions[i].time(1, 1)[0] for i in order}
            wall.append([taken[i]["ms"][0] for i in range(len(order))])
            cpu.append([taken[i]["cpu_ms"][0] for i in range(len(order))])
        return {"ms": wall, "cpu_ms": cpu}, {}
