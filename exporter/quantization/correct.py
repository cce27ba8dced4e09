"""Bias correction: what rounding shifts on average is taken out of each bias, layer after layer.

    b' = b - (E[y_rounded] - E[y_float])     per output channel

The means are those of the whole rounded net, in which the layers before are corrected already. One run gives them all, as the net that is
run takes each shift out itself: y' = y - (ReduceMean(y) - E[y_float]), over all samples at once. Source: Nagel et al. 2019,
https://arxiv.org/abs/1906.04721, section 4.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.points import Weights
from exporter.graph import Graph, add_constant, shape_of, unique_name
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import layer_of, placed, rounded_by
from exporter.quantization.assign import array_of
from exporter.quantization.draft import Draft
from exporter.quantization.gauge import Gauge
from exporter.quantization.outcome import Repair
from exporter.quantization.switchboard import Switchboard
from exporter.quantization.unshare import reader_of

CHANNELS_SECOND = frozenset({"Conv", "ConvTranspose"})
"""Layers whose output has its channels on axis 1; on the last axis of others."""

GAIN_DB = 0.1
"""A correction stays only for so much on samples that it was not made from."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A bias, and the value that it is added to, with the axis of its channels."""

    bias: str
    output: str
    axis: int


def correct(draft: Draft, gauge: Gauge) -> tuple[Draft, Repair]:
    """Correct the bias of every layer that has one; the outcome stays only if it helps."""
    layers = _layers(draft.graph, draft.points.weights)
    board = Switchboard(draft.graph, draft.quantization, draft.biases, values=gauge.values, base=draft.base)
    feeds = board.feeds(draft.quantization)
    before = gauge.confirm(board, feeds)
    shifts = _shifts(draft, layers, gauge.choosing) if layers else {}
    moved = {layer.bias: feeds[layer.bias] - shifts[layer.output].reshape(feeds[layer.bias].shape) for layer in layers}
    corrected = draft.with_constants(moved)
    after = gauge.confirm(board, board.feeds(corrected.quantization, graph=corrected.graph))
    kept = after.quality_db > before.quality_db + GAIN_DB
    return (corrected if kept else draft), Repair("correct", kept, before, after, tuple(moved))


def _shifts(draft: Draft, layers: list[_Layer], samples: Mapping[str, Array]) -> dict[str, Array]:
    """Of each layer's output, by its name: how far rounding moves the mean of each channel, over samples and places."""
    plain = draft.base.clone()
    values = {str(v.name): v for node in plain.nodes for v in node.outputs}
    means = [_mean(plain, values[layer.output], layer.axis) for layer in layers]
    wanted = evaluate(plain, samples, [str(mean.name) for mean in means])
    rounded, pairs = placed(draft.graph, draft.quantization)
    values = {str(v.name): v for node in rounded.nodes for v in node.outputs}
    shifts = {}
    for layer, mean in zip(layers, means, strict=True):
        pair = pairs.get(layer.output)
        value = values[layer.output] if pair is None else rounded_by(pair)
        shifts[layer.output] = _taken_out(rounded, value, layer.axis, wanted[str(mean.name)])
    got = evaluate(rounded, samples, [str(shift.name) for shift in shifts.values()])
    return {output: got[str(shift.name)] for output, shift in shifts.items()}


def _taken_out(graph: Graph, value: ir.Value, axis: int, wanted: Array) -> ir.Value:
    """Let all that read a value read it without the shift of its mean; returns the shift."""
    readers = list(value.uses())
    mean = _mean(graph, value, axis)
    shift = _behind(graph, mean, "Sub", [mean, add_constant(graph, f"{value.name}__wanted", wanted)], f"{value.name}__shift")
    right = _behind(graph, shift, "Sub", [value, shift], f"{value.name}__corrected")
    right.shape = value.shape
    for reader, index in readers:
        reader.replace_input_with(index, right)
    return shift


def _mean(graph: Graph, value: ir.Value, axis: int) -> ir.Value:
    """The mean of each channel, over samples and places."""
    rank = len(shape_of(value))
    others = add_constant(graph, f"{value.name}__others", np.array([i for i in range(rank) if i != axis % rank], np.int64))
    return _behind(graph, value, "ReduceMean", [value, others], f"{value.name}__mean")


def _behind(graph: Graph, value: ir.Value, op: str, inputs: list[ir.Value], name: str) -> ir.Value:
    node, producer = ir.node(op, inputs, name=name), value.producer()
    assert producer is not None
    out = node.outputs[0]
    out.name, out.type = unique_name(graph, name), ir.TensorType(ir.DataType.FLOAT)
    graph.model.graph.insert_after(producer, node)
    return out


def _layers(graph: Graph, weights: tuple[Weights, ...]) -> list[_Layer]:
    """Layers with a bias, in the Graph's order; those that share one are left alone."""
    names = [w.bias for w in weights]
    nodes = {layer_of(n): n for n in graph.nodes}
    found = {}
    for w in weights:
        if w.bias is not None and names.count(w.bias) == 1:
            bias = graph.model.graph.initializers[w.bias]
            node = reader_of(nodes[w.layer], bias)
            shape, axis = shape_of(node.outputs[0]), 1 if node.op_type in CHANNELS_SECOND else -1
            if array_of(graph, w.bias).size == shape[axis]:
                found[layer_of(node)] = _Layer(w.bias, layer_of(node), axis)
    return [found[name] for name in nodes if name in found]
