"""Time of a written file in its engine on this host: one file, or two side by side.

Latency is never cached and never judged by one number: every sample is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.child import Child

RESAMPLES = 2000
"""Bootstrap resamples of an interval."""

SAME_RATIO = 1.05
"""A ratio of medians up to this, with an interval that reaches 1.00, counts as "not slower"."""

OpenEngine = Callable[[], Child]

Run = tuple[float, float]
"""Milliseconds passed, and of processor time."""


@dataclass(frozen=True, slots=True)
class Latency:
    """A series of inference times of one file.

    Attributes:
        load_ms: Reading the file until the engine is ready.
        first_ms: The first inference ever.
        ms: Every timed run, in order.
        peak_rss_bytes: Peak resident memory of the engine's process.
        engine: Name and version of the engine.
        threads: Threads of the engine.
    """

    load_ms: float
    first_ms: float
    ms: tuple[float, ...]
    peak_rss_bytes: int
    engine: str
    threads: int

    def statistics(self) -> dict[str, float]:
        """Min, p10, median, p90 and mean of the runs, mean of runs 2 to 20, and frames a second (1000 / median); milliseconds."""
        runs = np.asarray(self.ms)
        p10, median, p90 = (float(v) for v in np.percentile(runs, [10, 50, 90]))
        facts = {"min": float(runs.min()), "p10": p10, "median": median, "p90": p90, "mean": float(runs.mean())}
        if len(runs) > 1:
            facts["mean_2_20"] = float(runs[1:20].mean())
        return {**facts, "load": self.load_ms, "first": self.first_ms, "fps": 1000.0 / median}

    def as_dict(self) -> dict[str, Any]:
        """Everything, every sample too."""
        return {**asdict(self), "ms": list(self.ms), "statistics": self.statistics()}


@dataclass(frozen=True, slots=True)
class Versus:
    """A against B, interleaved: ratio of medians B / A, above 1 where B is slower.

    Attributes:
        a_ms: Runs of A; a_ms[i] and b_ms[i] were taken one after the other.
        b_ms: Runs of B.
        ratio: Median of B over median of A.
        low: Lower end of the 95 % bootstrap interval of the ratio.
        high: Its upper end.
        process_pairs: Pairs of processes that the runs come from.
        a_cpu_ms: Processor time of each run of A, all threads together.
        b_cpu_ms: The same of B.
        not_slower: The interval is not wholly above 1.00, and the ratio at most `SAME_RATIO`.
    """

    a_ms: tuple[float, ...]
    b_ms: tuple[float, ...]
    ratio: float
    low: float
    high: float
    process_pairs: int
    a_cpu_ms: tuple[float, ...] = ()
    b_cpu_ms: tuple[float, ...] = ()
    not_slower: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "not_slower", self.low <= 1.0 and self.ratio <= SAME_RATIO)

    def as_dict(self) -> dict[str, Any]:
        """Everything, every sample too."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def measure(open_engine: OpenEngine, feeds: dict[str, Array], *, runs: int, warmup: int, threads: int) -> Latency:
    """Time one file in a fresh process.

    Args:
        open_engine: Starts the engine's process.
        feeds: One sample by the file's own input names and layout.
        runs: Timed inferences.
        warmup: Inferences before them, not timed.
        threads: What the engine was opened with, for the record.
    """
    with open_engine() as engine:
        load_ms, name = float(engine.facts["load_ms"]), f"{engine.facts['engine']} {engine.facts['version']}"
        engine.call("run", feeds, tensors=None)
        facts, _ = engine.call("time", runs=runs, warmup=warmup)
    return Latency(load_ms, float(facts["first_ms"]), tuple(facts["ms"]), int(facts["peak_rss_bytes"]), name, threads)


def versus(
    a: tuple[OpenEngine, dict[str, Array]],
    b: tuple[OpenEngine, dict[str, Array]],
    *,
    pairs: int = 200,
    process_pairs: int = 5,
    warmup: int = 5,
    seed: int = 0,
    tick: Callable[[int], None] = lambda done: None,
) -> Versus:
    """Time A and B turn by turn, in several pairs of processes, so that the machine's moods hit both alike.

    Args:
        a: How to open A, and one sample for it.
        b: The same of B.
        pairs: Pairs in all, at least 200 for a claim.
        process_pairs: Fresh pairs of processes they are spread over, at least 5 for a claim.
        warmup: Untimed runs of each fresh process.
        seed: Of the bootstrap.
        tick: Told the number of pairs done.
    """
    times: list[tuple[Run, Run]] = []
    share = -(-pairs // process_pairs)
    for _ in range(process_pairs):
        times += _process_pair(a, b, share, warmup)
        tick(len(times))
    return compared(times, process_pairs=process_pairs, seed=seed)


def compared(times: Sequence[tuple[Run, Run]], *, process_pairs: int, seed: int = 0) -> Versus:
    """What pairs of runs of A and B say, wherever they were taken."""
    (a_ms, a_cpu_ms), (b_ms, b_cpu_ms) = (tuple(zip(*runs, strict=True)) for runs in zip(*times, strict=True))
    low, high = ratio_interval(np.asarray(a_ms), np.asarray(b_ms), process_pairs, seed)
    return Versus(a_ms, b_ms, float(np.median(b_ms) / np.median(a_ms)), low, high, process_pairs, a_cpu_ms, b_cpu_ms)


def ratio_interval(a: Array, b: Array, process_pairs: int, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of median(b) / median(a).

    Runs of one process share its luck (where its memory lies, which neighbours it has), so whole process pairs are drawn first, then the
    pairs of runs within each: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8.

    Args:
        a: Runs, (n,); those of a process pair stand together, n / process_pairs of each.
        b: The same, taken pair by pair with `a`.
        process_pairs: How many processes of each they come from.
        seed: Of the draws.
    """
    rng, runs = np.random.default_rng(seed), len(a) // process_pairs
    pairs = rng.integers(0, process_pairs, (RESAMPLES, process_pairs, 1))
    draw = (pairs * runs + rng.integers(0, runs, (RESAMPLES, process_pairs, runs))).reshape(RESAMPLES, -1)
    low, high = np.percentile(np.median(b[draw], axis=1) / np.median(a[draw], axis=1), [2.5, 97.5])
    return float(low), float(high)


def _process_pair(
    a: tuple[OpenEngine, dict[str, Array]], b: tuple[OpenEngine, dict[str, Array]], pairs: int, warmup: int
) -> list[tuple[Run, Run]]:
    """Each timed run follows one untimed run of the same engine, which brings its weights back into the caches."""
    with a[0]() as first, b[0]() as second:
        for engine, feeds in ((first, a[1]), (second, b[1])):
            engine.call("run", feeds, tensors=None)
            engine.call("time", runs=1, warmup=warmup)
        return [(_one(first), _one(second)) if i % 2 == 0 else _swapped(first, second) for i in range(pairs)]


def _one(engine: Child) -> Run:
    facts = engine.call("time", runs=1, warmup=1)[0]
    return float(facts["ms"][0]), float(facts["cpu_ms"][0])


def _swapped(first: Child, second: Child) -> tuple[Run, Run]:
    other = _one(second)
    return _one(first), other
