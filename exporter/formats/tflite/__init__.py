"""TFLite: Graph to `model.tflite`, channels last, float32 or float16 weights."""

from pathlib import Path

import numpy as np

from exporter.errors import UnsupportedOpError, unknown_name
from exporter.formats.artifact import Artifact, Problem, Tensor, WriteOptions
from exporter.formats.tflite.half import halve_weights
from exporter.formats.tflite.lower import lower
from exporter.formats.tflite.ops import Axes, TfTensor, name_tensors
from exporter.formats.tflite.slow import slow_layers
from exporter.graph import Graph

PRECISIONS = ("fp32", "fp16")


def write(graph: Graph, folder: Path, options: WriteOptions) -> Artifact:
    """Write `model.tflite` into an existing folder.

    Args:
        graph: In normal form; batch is written as 1.
        folder: Where to.
        options: `precision` "fp32", or "fp16" for float16 weights that run as the engine likes.

    Raises:
        UnsupportedOpError: Names every layer that cannot be expressed.
    """
    from exporter.formats.tflite.serialise import serialise

    if options.precision not in PRECISIONS:
        raise unknown_name("precision of tflite", options.precision, PRECISIONS)
    model, problems = lower(graph)
    if problems:
        raise _unsupported(problems)
    if options.precision == "fp16":
        halve_weights(model)
        name_tensors(model)
    path = folder / "model.tflite"
    serialise(model, path)
    values = graph.model.graph
    inputs = tuple(_tensor(v.name, *model.held[v]) for v in values.inputs if v in model.held)
    outputs = tuple(_tensor(v.name, *model.held[v]) for v in values.outputs)
    alive = {t for op in model.ops for t in op.outputs if t.dtype == np.float32}
    taps = {str(v.name): _tensor(v.name, t, axes) for v, (t, axes) in model.held.items() if t in alive and v not in model.flat}
    return Artifact("tflite", path, (path,), options.precision, inputs, outputs, taps)


def check(graph: Graph) -> list[Problem]:
    """Every layer that TFLite cannot express; where there is none, those that leave the fast path of its engine."""
    model, problems = lower(graph)
    return problems or slow_layers(model)


def _tensor(name: str | None, t: TfTensor, axes: Axes) -> Tensor:
    return Tensor(t.name, str(name), t.shape, tuple(a for a in axes if a >= 0), np.dtype(t.dtype).name)


def _unsupported(problems: list[Problem]) -> UnsupportedOpError:
    lines = [f"{p.layer} ({p.op}): {p.reason}" for p in problems]
    count = "1 layer" if len(lines) == 1 else f"{len(lines)} layers"
    return UnsupportedOpError(
        f"TFLite cannot express {count}: " + "; ".join(lines), hint="cut the graph before them with --outputs, or take another format"
    )
