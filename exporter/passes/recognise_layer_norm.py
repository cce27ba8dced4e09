"""Layer and instance normalization that exporters spell out.

    Given:   d = x - mean(x);  y = d / sqrt(mean(d^2) + e)                   means over the last axes
    Result:  y = LayerNormalization(x, 1, axis, epsilon=e)                   over the spatial axes: InstanceNormalization(x, 1, 0)
    Given:   r = x s + (b - mean(x) s),   s = g / sqrt(mean((x - mean(x))^2) + e)     as TensorFlow writes it
    Result:  the same, then Mul g and Add b
    Given:   Mul or Add by a constant after either
    Result:  its scale or bias

Source: Ba et al. 2016, https://arxiv.org/abs/1607.06450; Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, add_constant, attr, const_input, sole_consumer
from exporter.passes.match import made_by, power_of
from exporter.passes.normalise_reduce import axes_of
from exporter.passes.rewrite import NodePass, Phase, absorb, become, follow, rank_of, scalar, set_weight


@dataclass(frozen=True, slots=True)
class _Spread:
    """sqrt(mean((x - mean(x))^2) + epsilon) over some axes of x."""

    x: ir.Value
    mean: ir.Value
    axes: tuple[int, ...]
    epsilon: float


@dataclass(frozen=True, slots=True)
class RecogniseLayerNorm(NodePass):
    """Exact to float rounding. Left alone: axes that are neither the last ones nor all spatial ones."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Div", "Add", "Mul"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        if node.op_type == "Div":
            return _quotient(graph, node)
        if node.op_type == "Mul" and (inverse := made_by(node.inputs[1], "Reciprocal")) is not None:
            return _quotient_of(graph, node, node.inputs[0], inverse.inputs[0])
        return _affine(graph, node) or (_folded(graph, node) if node.op_type == "Add" else 0)


def _quotient(graph: Graph, node: ir.Node) -> int:
    return _quotient_of(graph, node, node.inputs[0], node.inputs[1])


def _quotient_of(graph: Graph, node: ir.Node, top: ir.Value | None, bottom: ir.Value | None) -> int:
    """(x - mean) over the spread."""
    spread, difference = _spread(bottom), made_by(top, "Sub")
    if spread is None or difference is None or list(difference.inputs) != [spread.x, spread.mean]:
        return 0
    return _normalise(graph, node, spread)


def _folded(graph: Graph, node: ir.Node) -> int:
    """x * s + (b - mean * s), with s = g / spread or 1 / spread, and b constant or absent (-mean * s)."""
    for first, second in (tuple(node.inputs), tuple(node.inputs)[::-1]):
        scaled, rest = made_by(first, "Mul"), made_by(second, "Sub")
        shifted = made_by(rest.inputs[1], "Mul") if rest is not None else None
        bias = const_input(rest, 0) if rest is not None else None
        if scaled is None or shifted is None or bias is None or rest is None:
            continue
        for x, factor in (tuple(scaled.inputs), tuple(scaled.inputs)[::-1]):
            gain, bottom = _gain(factor)
            spread = _spread(bottom)
            if spread is None or spread.x is not x or not {spread.mean, factor} <= set(shifted.inputs):
                continue
            if not _normalise(graph, node, spread):
                continue
            if gain is not None:
                follow(graph, node, "Mul", [gain])
                node = node.outputs[0].consumers()[0]
            follow(graph, node, "Add", [rest.inputs[0]])
            return 1
    return 0


def _gain(factor: ir.Value | None) -> tuple[ir.Value | None, ir.Value | None]:
    """g and the spread, where a factor is Reciprocal(spread) or that times a constant g."""
    times = made_by(factor, "Mul")
    gain = times.inputs[1] if times is not None and const_input(times, 1) is not None else None
    inverse = made_by(times.inputs[0] if times is not None else factor, "Reciprocal")
    return gain, inverse.inputs[0] if inverse is not None else None


def _spread(value: ir.Value | None) -> _Spread | None:
    root = made_by(value, "Sqrt")
    total = made_by(root.inputs[0], "Add") if root is not None else None
    epsilon = scalar(const_input(total, 1)) if total is not None else None
    variance = made_by(total.inputs[0], "ReduceMean", "GlobalAveragePool") if total is not None else None
    squares = variance.inputs[0] if variance is not None else None
    square = made_by(squares, "Mul", "Pow")
    difference = made_by(square.inputs[0], "Sub") if square is not None else None
    if variance is None or squares is None or difference is None or epsilon is None or power_of(squares, difference.outputs[0]) != 2:
        return None
    x, mean = difference.inputs[0], difference.inputs[1]
    average = made_by(mean, "ReduceMean", "GlobalAveragePool")
    if average is None or x is None or mean is None or average.inputs[0] is not x or _axes(average) != _axes(variance):
        return None
    axes = _axes(average)
    return _Spread(x, mean, axes, epsilon) if axes and rank_of(mean) == rank_of(x) else None


def _axes(node: ir.Node) -> tuple[int, ...]:
    if node.op_type == "GlobalAveragePool":
        return tuple(range(2, rank_of(node.inputs[0])))
    return axes_of(node) or ()


def _normalise(graph: Graph, node: ir.Node, spread: _Spread) -> int:
    x, rank, name = spread.x, rank_of(spread.x), node.outputs[0].name
    shape = list(x.shape or ())
    if any(not isinstance(d, int) for d in shape[1:]):
        return 0
    if rank > 2 and spread.axes == tuple(range(2, rank)) and rank == 4:
        channels = int(str(shape[1]))
        ones = add_constant(graph, f"{name}_scale", np.ones(channels, np.float32))
        zeros = add_constant(graph, f"{name}_bias", np.zeros(channels, np.float32))
        return become(node, "InstanceNormalization", [x, ones, zeros], epsilon=spread.epsilon)
    if spread.axes != tuple(range(spread.axes[0], rank)) or spread.axes[0] == 0:
        return 0
    ones = add_constant(graph, f"{name}_scale", np.ones([int(str(d)) for d in shape[spread.axes[0] :]], np.float32))
    return become(node, "LayerNormalization", [x, ones], axis=spread.axes[0], epsilon=spread.epsilon)


def _affine(graph: Graph, node: ir.Node) -> int:
    """A Mul or Add by a constant is the scale or bias of the normalization before it."""
    value, constant = node.inputs[0], const_input(node, 1)
    norm = made_by(value, "LayerNormalization", "InstanceNormalization")
    if norm is None or value is None or constant is None or sole_consumer(value) is None or len(norm.outputs) > 1:
        return 0
    wanted = _fitted(norm, constant)
    scale = const_input(norm, 1)
    bias = const_input(norm, 2)
    if wanted is None or scale is None or (len(norm.inputs) > 2 and norm.inputs[2] is not None and bias is None):
        return 0
    if node.op_type == "Mul":
        set_weight(graph, norm, 1, scale * wanted)
    if bias is not None or node.op_type == "Add":
        old = np.zeros_like(scale) if bias is None else bias
        set_weight(graph, norm, 2, old * wanted if node.op_type == "Mul" else old + wanted, f"{norm.outputs[0].name}_bias")
    return absorb(node, norm)


def _fitted(norm: ir.Node, constant: Array) -> Array | None:
    """The constant in the shape of the normalization's scale; None where it varies along other axes."""
    scale, rank = const_input(norm, 1), rank_of(norm.inputs[0])
    if scale is None or constant.ndim > rank:
        return None
    full = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
    first = attr(norm, "axis", -1) % rank if norm.op_type == "LayerNormalization" else 1
    last = rank if norm.op_type == "LayerNormalization" else 2
    if any(d != 1 for d in (*full.shape[:first], *full.shape[last:])):
        return None
    part = full.reshape(full.shape[first:last])
    fits = all(d in (1, s) for d, s in zip(part.shape, scale.shape, strict=True))
    return np.ascontiguousarray(np.broadcast_to(part, scale.shape)) if fits else None
