"""TFLite: Graph to `model.tflite`, channels last; float32, float16 or integer weights, or integers throughout."""

from pathlib import Path

import numpy as np

from exporter.errors import UnsupportedOpError, unknown_name
from exporter.formats.artifact import Artifact, Problem, Tensor, WriteOptions
from exporter.formats.tflite.gates import spell_out
from exporter.formats.tflite.half import halve_weights
from exporter.formats.tflite.int8_points import points
from exporter.formats.tflite.int8_rewrite import to_int8
from exporter.formats.tflite.lower import lower
from exporter.formats.tflite.ops import Axes, TfModel, TfTensor, name_tensors
from exporter.formats.tflite.slow import slow_layers
from exporter.formats.tflite.small_weights import STORED, shrink_weights
from exporter.graph import Graph
from exporter.graph.strip import strip

__all__ = ["PRECISIONS", "check", "points", "spell_out", "write"]

PRECISIONS = ("fp32", "fp16", "int8", "mixed", *STORED)


def write(graph: Graph, folder: Path, options: WriteOptions) -> Artifact:
    """Write `model.tflite` into an existing folder.

    Args:
        graph: In normal form; batch is written as 1. For "int8" and "mixed" with its QuantizeLinear pairs.
        folder: Where to.
        options: `precision` "fp32", or "fp16" for float16 weights that run as the engine likes; "int8" and "mixed" for integers with what
            has no scale in float; "int8-dynamic", "int8-weights" and "int4-weights" for integer weights alone. `io` of "int8" and "mixed".

    Raises:
        UnsupportedOpError: Names every layer that cannot be expressed.
    """
    from exporter.formats.tflite.serialise import serialise

    if options.precision not in PRECISIONS:
        raise unknown_name("precision of tflite", options.precision, PRECISIONS)
    integer = options.precision in {"int8", "mixed"}
    graph, quantization = strip(graph) if integer else (graph, None)
    model, problems = lower(graph, int8=integer)
    if problems:
        raise _unsupported(problems)
    floats: list[Problem] = []
    if quantization is not None:
        floats = to_int8(model, quantization, options.io)
    elif options.precision in STORED:
        shrink_weights(model, options.precision)
    elif options.precision == "fp16":
        halve_weights(model)
        name_tensors(model)
    path = folder / "model.tflite"
    serialise(model, path)
    return _artifact(graph, model, path, options.precision, tuple(floats))


def _artifact(graph: Graph, model: TfModel, path: Path, precision: str, floats: tuple[Problem, ...]) -> Artifact:
    values = graph.model.graph
    inputs = tuple(_tensor(v.name, *model.held[v]) for v in values.inputs if v in model.held)
    outputs = tuple(_tensor(v.name, *model.held[v]) for v in values.outputs)
    alive = {t for op in model.ops for t in op.outputs if t.dtype.name in {"float32", "int8", "uint8"}}
    taps = {str(v.name): _tensor(v.name, t, axes) for v, (t, axes) in model.held.items() if t in alive and v not in model.flat}
    return Artifact("tflite", path, (path,), precision, inputs, outputs, taps, floats)


def check(graph: Graph) -> list[Problem]:
    """Every layer that TFLite cannot express; where there is none, those that leave the fast path of its engine."""
    model, problems = lower(graph)
    return problems or slow_layers(model)


def _tensor(name: str | None, t: TfTensor, axes: Axes) -> Tensor:
    perm = tuple(a for a in axes if a >= 0)
    if t.quant is None:
        return Tensor(t.name, str(name), t.shape, perm, np.dtype(t.dtype).name)
    return Tensor(t.name, str(name), t.shape, perm, t.quant.dtype, float(t.quant.scale), int(t.quant.zero_point))


def _unsupported(problems: list[Problem]) -> UnsupportedOpError:
    lines = [f"{p.layer} ({p.op}): {p.reason}" for p in problems]
    count = "1 layer" if len(lines) == 1 else f"{len(lines)} layers"
    return UnsupportedOpError(
        f"TFLite cannot express {count}: " + "; ".join(lines), hint="cut the graph before them with --outputs, or take another format"
    )
