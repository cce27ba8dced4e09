"""The same numbers in the types that every onnxruntime gets right: what a Graph may bring that our own `points` never ask for.

int8 activations are uint8 with a zero point 128 higher: x86 kernels take no others, and not every pair is turned round by itself.
int8 weights whose neighbours may overflow a sum in 16 bits (see `Weights.least_scale`) are uint8, whose kernels sum in 32 bits: slower
on x86 than int8, and right.
"""

import numpy as np

from exporter.array import Array
from exporter.formats.onnx.integer import weights_of
from exporter.formats.points import Weights
from exporter.graph import Graph, const
from exporter.graph.qdq import LIMITS, Affine, Quantization, insert
from exporter.graph.strip import strip

_MOST = 128
"""Largest sum of two int8 weights whose products with uint8 fit in 16 bits: 255 * 128 < 2^15."""


def safe(graph: Graph) -> Graph:
    """A quantized Graph of the same numbers in safe types; the graph itself where nothing is to change."""
    plain, found = strip(graph)
    constants = dict(found.constants)
    for node in plain.nodes:
        layer = weights_of(node)
        how = constants.get(layer.weight) if layer is not None else None
        array = const(node.inputs[1]) if how is not None else None
        if layer is not None and how is not None and array is not None and how.dtype == "int8" and _overflows(layer, how.quantize(array)):
            constants[layer.weight] = unsigned(how)
    operands = {str(v.name) for n in plain.nodes if n.op_type in ("Add", "Mul", "Concat") for v in n.inputs if const(v) is not None and v}
    constants |= {name: unsigned(constants[name]) for name in operands & constants.keys()}
    values = {name: unsigned(how) for name, how in found.values.items()}
    better = Quantization(values, {edge: unsigned(how) for edge, how in found.edges.items()}, constants)
    same = all(better_part == part for better_part, part in _parts(better, found))
    return graph if same else insert(plain, better)


def _parts(a: Quantization, b: Quantization) -> list[tuple[list[str], list[str]]]:
    return [
        ([h.dtype for h in mine.values()], [h.dtype for h in other.values()])
        for mine, other in ((a.values, b.values), (a.edges, b.edges), (a.constants, b.constants))
    ]


def unsigned(how: Affine) -> Affine:
    """int8 as uint8 with a zero point 128 higher; other types as they are."""
    if how.dtype != "int8":
        return how
    zero = (how.zero_point.astype(np.int16) - LIMITS["int8"][0]).astype(np.uint8)
    return Affine(how.scale, zero, how.axis, how.narrow)


def _overflows(layer: Weights, stored: Array) -> bool:
    """Whether two neighbours of a channel add to more than a sum in 16 bits can hold."""
    if layer.pairs is None or layer.axis is None:
        return False
    rows = stored.transpose(layer.axis, *layer.pairs).reshape(stored.shape[layer.axis], -1).astype(np.int16)
    even = rows.shape[1] // 2 * 2
    sums = rows[:, :even:2] + rows[:, 1:even:2]
    return bool((np.abs(sums) > _MOST).any())
