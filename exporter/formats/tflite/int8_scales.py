"""Scales of a lowered list's tensors from a Quantization: those it names, those that follow."""

import numpy as np

from exporter.array import Array
from exporter.formats.tflite.int8_rules import FIXED, JOIN, SAME, WEIGHTED, computed, has_int8, spread
from exporter.formats.tflite.ops import TfModel, TfOp, TfTensor
from exporter.graph.qdq import Affine, Quantization, affine

Scales = dict[TfTensor, Affine]


def scales_of(model: TfModel, quantization: Quantization) -> tuple[Scales, set[TfOp]]:
    """Every tensor's scale, and the ops that run in int8: all that have a kernel, scales on all sides, and weights that are quantized.

    A layer that was kept float beside others in int8 may come out as int8: where all it reads and gives is rounded anyway, that is the
    same numbers, and faster.
    """
    scales = _named(model, quantization)
    for op in model.ops:
        for t in computed(op.outputs):
            if t not in scales and not t.values and (op.kind in FIXED or t.known is not None):
                scales[t] = affine(*FIXED[op.kind]) if op.kind in FIXED else _multiple(t, scales, from_range(*(t.known or (0.0, 1.0))))
    while _follow(model.ops, scales):
        pass
    integer = {op for op in model.ops if _runs(op, scales, quantization)}
    while spread(model.ops, integer):
        pass
    return scales, integer


FINER = 8
"""Times finer than its known range a multiple may be: XNNPACK takes no ADD of far finer steps than its operands'."""


def _multiple(t: TfTensor, scales: Scales, usual: Affine) -> Affine:
    """A tensor of which another is made by a factor alone has that one's integers: it is rounded once."""
    made, factor = t.multiple or (t, 1.0)
    scale = float(scales[made].scale) * factor if made in scales else 0.0
    return affine(scale, int(scales[made].zero_point)) if scale >= float(usual.scale) / FINER else usual


def from_range(low: float, high: float) -> Affine:
    """All 256 numbers over a range, 0 in it exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255) or np.float32(1)
    return affine(float(scale), int(np.clip(round(-128 - low / float(scale)), -128, 127)))


def signed(how: Affine) -> Affine | None:
    """An activation's numbers in int8; None where int8 cannot hold them: other types, scales by channel."""
    if how.axis is not None or how.dtype not in {"int8", "uint8"}:
        return None
    return how if how.dtype == "int8" else affine(float(how.scale), int(how.zero_point) - 128)


def equal(a: Affine, b: Affine) -> bool:
    """Do both mean the same numbers?"""
    return bool(a.scale == b.scale and a.zero_point == b.zero_point)


def _named(model: TfModel, quantization: Quantization) -> Scales:
    """By the values that a tensor holds; a value that is rounded for some readers only is stored so for all that run in int8."""
    edges = {edge.value: how for edge, how in reversed(list(quantization.edges.items()))}
    scales: Scales = {}
    for t in dict.fromkeys([*model.inputs, *(t for op in model.ops for t in computed(op.outputs))]):
        names = [str(v.name) for v in t.values]
        found = [signed(how[name]) for how in (quantization.values, edges) for name in names if name in how]
        if found and found[0] is not None:
            scales[t] = found[0]
    return scales


def _follow(ops: list[TfOp], scales: Scales) -> bool:
    """Tensors that hold no value take the scale of what they are made of, or made into."""
    before = len(scales)
    for op in ops:
        for t in computed(op.outputs):
            if t.like in scales and t not in scales and not t.values:
                scales[t] = scales[t.like]
        if op.kind in SAME or op.kind in JOIN:
            tensors = computed([*op.outputs, *op.inputs])
            given = next((scales[t] for t in tensors if t in scales), None)
            for t in tensors:
                if t not in scales and not t.values and given is not None:
                    scales[t] = given
    return len(scales) > before


def _runs(op: TfOp, scales: Scales, quantization: Quantization) -> bool:
    if not has_int8(op) or any(t not in scales for t in computed([*op.inputs, *op.outputs])):
        return False
    if op.kind in FIXED and not equal(scales[op.outputs[0]], affine(*FIXED[op.kind])):
        return False
    layer = WEIGHTED.get(op.kind)
    origin = None if layer is None else op.inputs[layer.weights].origin
    return origin is None or origin.name in quantization.constants


def constant_scale(t: TfTensor, data: Array, quantization: Quantization) -> Affine:
    """Of a constant operand: as the Quantization has it, else all numbers over its range; a single number is met exactly."""
    how = None if t.origin is None else quantization.constants.get(t.origin.name)
    stored = None if how is None else signed(how)
    if stored is not None:
        return stored
    low, high = float(data.min()), float(data.max())
    return affine(abs(high) / 127 or 1.0, 0) if low == high else from_range(low, high)
