"""Calibrate a Graph: one pass over the samples in onnxruntime, statistics of every value on the way.

Memory holds one batch's values and the histograms, whatever the number of samples.
"""

from collections.abc import Callable, Iterator
from math import prod

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.data import Dataset
from exporter.errors import DataError
from exporter.graph import BATCH, Graph, shape_of
from exporter.graph.evaluate import Evaluator
from exporter.graph.ops import MOVES
from exporter.graph.ports import to_graph
from exporter.quantization.calibration import Calibration, measured
from exporter.quantization.growing import Growing
from exporter.quantization.histogram import Statistics
from exporter.quantization.keep import kept
from exporter.store import Store

COUNTED = 1 << 22
"""Elements of a value that are counted, in all samples together; of bigger values evenly spread ones, others from sample to sample. Ends
and means are always over all."""

FEWEST_COUNTED = 1 << 12
"""In each sample, however many there are."""

HELD = 1 << 23
"""Elements of all values that a batch may have: what decides its size."""

LARGEST_BATCH = 32

Tick = Callable[[int], None]


def calibrate(graph: Graph, data: Dataset, *, store: Store | None = None, threads: int = 0, tick: Tick = lambda done: None) -> Calibration:
    """Statistics of a Graph's values on all samples of a data set; `chosen` bounds it.

    Args:
        graph: The finished float Graph.
        data: Calibration samples, preprocessed.
        store: Where statistics are kept: a second build with the same graph and samples runs nothing.
        threads: Of onnxruntime; 0 for one a core.
        tick: Told the number of samples done.

    Raises:
        DataError: If a value becomes NaN, or a sample cannot be read.
        EngineError: If onnxruntime fails.
    """

    def collect(changed: Graph) -> Statistics:
        return kept(store, changed, data, lambda: run_statistics(changed, data, threads, tick))

    few, _ = data.pick(measured(graph))
    calibration = Calibration(graph, to_graph(graph.inputs, few), collect)
    _ = calibration.statistics
    return calibration


def run_statistics(graph: Graph, data: Dataset, threads: int, tick: Tick) -> Statistics:
    """The pass itself; see `calibrate`."""
    same = aliases(graph)
    found = {name: Growing() for name in dict.fromkeys(same.values())}
    computed = [name for name in found if all(p.name != name for p in graph.inputs)]
    evaluator = Evaluator(graph, computed, threads)
    counted, done = max(COUNTED // len(data), FEWEST_COUNTED), 0
    for few, _ in data.batches(batch_size(graph, computed)):
        inputs = to_graph(graph.inputs, few)
        n = len(next(iter(inputs.values())))
        values = {**inputs, **evaluator.run(inputs)}
        for name, growing in found.items():
            add(growing, name, values.pop(name).reshape(n, -1), done, counted)
        done += n
        tick(done)
    return Statistics({name: found[root].histogram() for name, root in same.items()}, done)


def float_values(graph: Graph) -> Iterator[ir.Value]:
    """Every float value that is computed, in the Graph's order."""
    for node in graph.nodes:
        yield from (v for v in node.outputs if v.name and v.dtype in (None, ir.DataType.FLOAT))


def aliases(graph: Graph) -> dict[str, str]:
    """By value name: the value that has the same elements, itself for most. Inputs and every float value that is computed."""
    same = {p.name: p.name for p in graph.inputs}
    for value in float_values(graph):
        name, producer = str(value.name), value.producer()
        source = producer.inputs[0] if producer is not None and producer.op_type in MOVES and producer.inputs else None
        same[name] = same.get(str(source.name), name) if source is not None else name
    return same


def batch_size(graph: Graph, values: list[str]) -> int:
    """Samples run at once: one, where some value does not keep samples on its first axis."""
    shaped, wanted = list(float_values(graph)), set(values)
    if any(v.shape is None or not v.shape or BATCH not in str(v.shape[0]) for v in shaped):
        return 1
    held = sum(prod(shape_of(v)) for v in shaped if v.name in wanted)
    return min(max(HELD // max(held, 1), 1), LARGEST_BATCH)


def add(growing: Growing, name: str, rows: Array, done: int, counted: int) -> None:
    """Take a value of a batch in.

    Args:
        growing: Its statistics.
        name: The value.
        rows: Its elements, (samples, elements).
        done: Samples before the batch.
        counted: Elements of each sample that are counted, at most.

    Raises:
        DataError: If it holds NaN; names value and sample.
    """
    if not rows.size:
        return
    lows, highs = rows.min(1), rows.max(1)
    if np.isfinite(lows).all() and np.isfinite(highs).all():
        growing.add(spread(rows, done, counted), lows, highs)
        return
    if np.isnan(lows).any():
        sample = done + int(np.argmax(np.isnan(lows)))
        raise DataError(
            f"value {name} is not a number in calibration sample {sample}: the float model itself fails on it",
            hint="check this sample, and --mean and --std: verify the fp32 build on the same data",
        )
    growing.infinite += int(np.isinf(rows).sum())
    for i, row in enumerate(rows):
        finite = row[np.isfinite(row)][None]
        if finite.size:
            growing.add(spread(finite, done + i, counted), finite.min(1), finite.max(1))


def spread(rows: Array, phase: int, most: int) -> Array:
    """At most so many elements of each row, evenly spread; `phase` decides which.

    The step has no divisor in common with the row's length, so that no channel, row or column is left out.
    """
    size = rows.shape[1]
    step = -(-size // most)
    while step > 1 and np.gcd(step, size) > 1:
        step += 1
    return rows[:, phase % step :: step]
