"""Time one layer at many widths, in one process, turn by turn."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.compression.timing import written
from exporter.disk import Scratch
from exporter.latency import RESAMPLES
from exporter.runtimes.run import open_panel
from exporter.runtimes.settings import runtime_options
from exporter.sweeping.layers import Site
from exporter.sweeping.staircase import Plateau, Point, best_step, plateaus, step_of, wasted, worth
from exporter.target import ENGINES

PROCESSES = 2
"""Fresh processes that the rounds of one layer are spread over: where memory lies differs between them."""

PART = 5
"""Rounds between two ticks."""

Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Sweep:
    """One layer's widths and their times.

    Attributes:
        layer: Its name.
        op: Its operator.
        shape_in: Of its input, 1 on the batch axis.
        channels: Its width in the model.
        also: Other layers of the model that are the same work.
        engine: Name and version.
        points: By ascending width.
        ms: Every round by the clock, milliseconds, (rounds, widths).
    """

    layer: str
    op: str
    shape_in: tuple[int, ...]
    channels: int
    also: tuple[str, ...]
    engine: str
    points: tuple[Point, ...]
    ms: tuple[tuple[float, ...], ...]

    @property
    def step(self) -> int:
        """Of the stairs; 1 where there are none."""
        return step_of(self.points)

    @property
    def plateaus(self) -> tuple[Plateau, ...]:
        """Widths that take the same time."""
        return plateaus(self.points)

    @property
    def worth(self) -> tuple[Point, ...]:
        """Widths worth pruning to, widest first: on the step."""
        on = [p for p in self.points if p.width % self.step == 0 or p.width == self.channels]
        return tuple(p for p in worth(on) if p.width < self.channels)

    @property
    def wasted(self) -> tuple[Point, ...]:
        """Widths slower than a wider one."""
        return wasted(self.points)

    def as_dict(self) -> dict[str, Any]:
        """Everything, every round too."""
        return {
            **asdict(self), "step": self.step, "plateaus": [asdict(p) for p in self.plateaus],
            "worth": [p.width for p in self.worth], "slower_than_wider": [p.width for p in self.wasted],
        }  # fmt: skip


def sweep(
    site: Site,
    widths: Sequence[int],
    format: str,
    *,
    rounds: int = 50,
    processes: int = PROCESSES,
    threads: int = 1,
    seed: int = 0,
    tick: Tick = lambda done: None,
) -> Sweep:
    """Time a layer alone, with its activation, at several widths and at its own.

    A width's time is the median over rounds, as a share of that of the whole width: of processor time for one thread, which other work on
    the machine hardly disturbs, else by the clock.

    Args:
        site: The layer.
        widths: Output channels; its own is added.
        format: "ncnn", "tflite" or "onnx".
        rounds: Timed runs of each width.
        processes: Fresh processes that they are spread over.
        threads: Of the engine.
        seed: Of weights, noise, order and intervals.
        tick: Told the number of rounds done.

    Raises:
        UnsupportedOpError: If the format cannot express the layer.
        EngineError: If the engine fails on it.
    """
    channels = site.layer.rows
    tried = sorted({*widths, channels})
    engine = ENGINES[format]
    options = runtime_options(engine, "fp32") | ({"packed_outputs": True} if engine == "ncnn" else {})
    wall, cpu, name = list[list[float]](), list[list[float]](), ""
    with Scratch() as folder:
        last = format == "tflite"
        files = [written(site.alone(w, channels_last=last, seed=seed), format, Path(folder, str(w)), seed=seed) for w in tried]
        for process in range(processes):
            with open_panel(engine, [p for p, _ in files], threads=threads, options=options) as panel:
                name = f"{panel.facts['engine']} {panel.facts['version']}"
                for i, (_, feeds) in enumerate(files):
                    panel.call("feed", feeds, index=i)
                while len(wall) < rounds * (process + 1) // processes:
                    part = min(PART, rounds * (process + 1) // processes - len(wall))
                    facts, _ = panel.call("time", rounds=part, seed=seed + len(wall))
                    wall, cpu = wall + facts["ms"], cpu + facts["cpu_ms"]
                    tick(len(wall))
    times = np.array(wall), np.array(cpu)
    points = _points(tried, times, times[1] if threads == 1 else times[0], tried.index(channels), seed)
    return Sweep(site.name, site.layer.node.op_type, site.shape_in, channels, site.also, name, points, tuple(tuple(row) for row in wall))


def _points(widths: Sequence[int], times: tuple[Array, Array], judged: Array, whole: int, seed: int) -> tuple[Point, ...]:
    """Medians over rounds, with bootstrap intervals; rows are rounds, columns widths. A round that was slow as a whole is scaled back."""
    slow = np.median(judged / np.median(judged, axis=0), axis=1, keepdims=True)
    even = judged / slow
    middle = np.median(even, axis=0)
    draw = np.random.default_rng(seed).integers(0, len(even), (RESAMPLES, len(even)))
    ends = np.percentile([np.median(even[rows], axis=0) for rows in draw], [2.5, 97.5], axis=0)
    relative, (low, high) = middle / middle[whole], ends / middle[whole]
    wall, cpu = (np.median(t, axis=0) for t in times)
    return tuple(
        Point(w, float(relative[i]), float(low[i]), float(high[i]), float(wall[i]), float(cpu[i]), len(even)) for i, w in enumerate(widths)
    )


def measured_step(sweeps: Sequence[Sweep]) -> int:
    """The step of widths to prune by: the one that explains all layers' times best, 1 where none does beyond noise."""
    return best_step([s.points for s in sweeps])
