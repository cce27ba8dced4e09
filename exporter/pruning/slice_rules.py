"""What each operator's constants and attributes become when channels go."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.channels.classes import Channels
from exporter.channels.follow import BINARY
from exporter.channels.layers import Layer
from exporter.graph import Graph, attr, const_input
from exporter.graph.shapes import infer_shapes
from exporter.passes.rewrite import set_attrs
from exporter.pruning.slicing import Cut, materialise


def sliced(channels: Channels, keep: Array) -> Graph:
    """The Graph with only these classes of channels; the given one stays as it is.

    Args:
        channels: Of the Graph.
        keep: Whether each class stays, bool (classes,); locked ones must.

    Raises:
        ValueError: If a grouped convolution would keep unequal numbers, or an inner shape does not fit: names the node.
    """
    graph = materialise(promised(channels, keep))
    infer_shapes(graph)
    return graph


def promised(channels: Channels, keep: Array) -> Graph:
    """Like `sliced`, but weights are computed only when they are read: enough to count what the Graph would cost."""
    cut = Cut(channels, keep)
    for node in cut.graph.model.graph:
        if any(map(cut.touched, (*node.inputs, *node.outputs))):
            layer = channels.layers.get(str(node.outputs[0].name))
            if layer is not None:
                _layer(cut, node, layer)
            elif node.op_type in BINARY:
                _binary(cut, node)
            elif node.op_type in _RULES:
                _RULES[node.op_type](cut, node)
    return cut.finish()


def _layer(cut: Cut, node: ir.Node, layer: Layer) -> None:
    axis = layer.channel_axis
    assert node.inputs[0] is not None
    columns, rows = cut.kept(node.inputs[0], axis), cut.kept(node.outputs[0], axis)
    _weight(cut, node, layer, columns, rows)
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None and bias.const_value is not None and bias.const_value.size > 1:
        cut.pick(node, 2, {len(bias.const_value.shape) - 1: rows})


def _weight(cut: Cut, node: ir.Node, layer: Layer, columns: Array | None, rows: Array | None) -> None:
    kept_rows = np.arange(layer.rows) if rows is None else rows
    kept_columns = np.arange(layer.columns) if columns is None else columns
    if layer.groups == 1:
        row_axis = _row_axis(node)
        cut.pick(node, 1, {row_axis: rows, 1 - row_axis: columns})
        return
    row_sets, column_sets = _by_group(kept_rows, layer.rows, layer.groups), _by_group(kept_columns, layer.columns, layer.groups)
    alive = [g for g in range(layer.groups) if len(column_sets[g])] if layer.depthwise else list(range(layer.groups))
    if len({len(row_sets[g]) for g in alive}) > 1 or len({len(column_sets[g]) for g in alive}) > 1:
        raise ValueError(f"{layer.name}: its {layer.groups} groups would keep unequal numbers of channels")
    kernel, shape = layer.kernel, [len(alive), len(row_sets[alive[0]]), len(column_sets[alive[0]])]
    of_weight = [shape[0] * shape[1], shape[2]] if node.op_type == "Conv" else [shape[0] * shape[2], shape[1]]

    def make() -> Array:
        table = layer.table(layer.weight)
        return layer.untable(np.stack([table[g][row_sets[g]][:, column_sets[g]] for g in alive]), kernel)

    cut.give(node, 1, kept_rows.tobytes() + b"|" + kept_columns.tobytes(), [*of_weight, *kernel], make)
    set_attrs(node, group=len(alive))


def _row_axis(node: ir.Node) -> int:
    """Axis of the weight that holds output channels."""
    return 0 if node.op_type == "Conv" or (node.op_type == "Gemm" and attr(node, "transB", 0)) else 1


def _by_group(kept: Array, whole: int, groups: int) -> list[Array]:
    """Kept channels of each group, numbered within it."""
    each = whole // groups
    return [kept[(kept >= g * each) & (kept < (g + 1) * each)] - g * each for g in range(groups)]


def _binary(cut: Cut, node: ir.Node) -> None:
    out = node.outputs[0]
    rank = len(cut.old_shape(out))
    for index, value in enumerate(node.inputs):
        if value is None or value.const_value is None:
            continue
        shape = [int(str(d)) for d in value.const_value.shape]
        shift = rank - len(shape)
        cut.pick(node, index, {a: cut.kept(out, a + shift) for a in range(len(shape)) if shape[a] > 1})


def _vectors(cut: Cut, node: ir.Node) -> None:
    """One number a channel in each constant."""
    for index in range(1, len(node.inputs)):
        cut.pick(node, index, {0: cut.kept(node.outputs[0], 1)})


def _reshape(cut: Cut, node: ir.Node) -> None:
    cut.constant(node, 1, np.array([0, *cut.new_shape(node.outputs[0])[1:]], np.int64))
    set_attrs(node, allowzero=None)


def _flatten(cut: Cut, node: ir.Node) -> None:
    """Nothing: what it makes follows from what it reads."""


def _slice(cut: Cut, node: ir.Node) -> None:
    x, starts, ends, axes = node.inputs[0], const_input(node, 1), const_input(node, 2), const_input(node, 3)
    assert x is not None
    assert starts is not None
    assert ends is not None
    new_starts, new_ends = np.array(starts, np.int64), np.array(ends, np.int64)
    for i, axis in enumerate(axes if axes is not None else range(len(starts))):
        kept, length = cut.kept(x, int(axis)), cut.old_shape(x)[int(axis)]
        if kept is not None:
            first, last, _ = slice(int(starts[i]), int(min(ends[i], length))).indices(length)
            new_starts[i], new_ends[i] = (kept < first).sum(), (kept < last).sum()
    cut.constant(node, 1, new_starts)
    cut.constant(node, 2, new_ends)


def _split(cut: Cut, node: ir.Node) -> None:
    axis = attr(node, "axis", 0)
    cut.constant(node, 1, np.array([cut.new_shape(out)[axis] for out in node.outputs], np.int64))
    set_attrs(node, num_outputs=None)


def _gather(cut: Cut, node: ir.Node) -> None:
    x, picked, axis = node.inputs[0], const_input(node, 1), attr(node, "axis", 0)
    assert x is not None
    assert picked is not None
    kept, length = cut.kept(x, axis), cut.old_shape(x)[axis]
    if kept is None:
        return
    place = np.full(length, -1, np.int64)
    place[kept] = np.arange(len(kept))
    found = place[picked % length]
    cut.constant(node, 1, found[found >= 0] if found.ndim else found)


_Rule = Callable[[Cut, ir.Node], None]

_RULES: dict[str, _Rule] = {
    "BatchNormalization": _vectors, "InstanceNormalization": _vectors, "Reshape": _reshape, "Flatten": _flatten, "Slice": _slice,
    "Split": _split, "Gather": _gather,
}  # fmt: skip
"""Operators whose constants depend on channels; layers and sums apart, the others have none."""
