"""int8 in ncnn: convolutions and dense layers round their input and multiply integers; all else computes in floats.

    y = activation(sum(q_x * q_w) * s_x * s_w + bias),   q_x = clip(round(x / s_x), -127, 127)

Where all readers of y are such layers with one input scale s, the layer rounds y itself (parameter 8 above 100) and integers pass
between them. That is the same number: each reader would have rounded the float with s. So a Graph's pairs say nothing of it.

Source: ncnn, src/layer/convolution.cpp, convolutiondepthwise.cpp and innerproduct.cpp, `forward_int8`.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.artifact import Problem
from exporter.formats.ncnn.emitter import Emitter, Offer, UnsupportedError
from exporter.formats.ncnn.layer import Int8, Layer, Weight, raw
from exporter.formats.points import Group, Points, Scheme, Weights
from exporter.graph import const, const_input
from exporter.graph.qdq import Affine, layer_of

PER_CHANNEL, PER_GROUP, REQUANTIZED = 2, 1, 100
"""Parameter 8: one weight scale an output channel, or one a group; more than 100 where the output is int8."""

TERMS = {"Convolution": PER_CHANNEL, "InnerProduct": PER_CHANNEL, "ConvolutionDepthWise": PER_GROUP}
"""Layers with int8, and their parameter 8."""

GIVES_INT8 = frozenset({"Convolution", "ConvolutionDepthWise"})
"""Layers that can round their output; ncnn's InnerProduct cannot."""


NO_WINOGRAD = 64
"""Feature mask (parameter 31)."""

WINOGRAD_LIMIT = 2**31 / 576
"""ncnn's int8 Winograd transform holds 576 times a sum of products in an int32."""


def wrong_in_groups(groups: int, inputs: int, outputs: int) -> bool:
    """Whether ncnn computes a grouped int8 convolution wrongly.

    It lays the output out in packs of 4 channels while the convolution of each group makes packs of 8 where it can: on x86 with AVX,
    and on ARM with half-precision arithmetic. Depthwise layers go another way.

    Args:
        groups: How many.
        inputs: Channels of a group's input.
        outputs: Channels of a group's output.
    """
    return groups > 1 and outputs % 8 == 0 and not (inputs == 1 and outputs == 1)


def offer(e: Emitter, node: ir.Node, *, axis: int, share: int = 1, bias: str | None = None) -> None:
    """Record that the layer just emitted has an int8 form, and give it that form where the quantization says so."""
    if const(node.inputs[0]) is not None:
        return
    if bias is None and const_input(node, 2) is not None:
        bias = node.inputs[2].name if node.inputs[2] is not None else None
    e.offers.append(Offer(node, axis, share, bias))
    layer, seen = e.layers[-1], e.rounded_input(node)
    if seen is None:
        return
    weight = node.inputs[1]
    assert weight is not None
    how = e.quantization.constants.get(str(weight.name))
    if how is None:
        raise UnsupportedError("its input is rounded, its weights are not; ncnn rounds both or none")
    _symmetric(seen, "input")
    _symmetric(how, "weights")
    scales = np.broadcast_to(how.scale, (int(layer.params[0]),)).astype(np.float32)  # type: ignore[arg-type]
    _quantize(layer, float(seen.scale), scales, share)


def _symmetric(how: Affine, what: str) -> None:
    if how.dtype != "int8" or how.zero_point.any():
        raise UnsupportedError(f"its {what} have type {how.dtype} and a zero point; ncnn stores symmetric int8")


def _quantize(layer: Layer, input_scale: float, scales: Array, share: int) -> None:
    """Replace the float weights, output channels first, by integers; `finish` adds the scales behind the bias."""
    kept = scales[::share]
    if not np.array_equal(np.repeat(kept, share), scales):
        raise UnsupportedError(f"its weights have a scale a channel; ncnn has one for the {share} channels of a group")
    load, weights = layer.weights[0].load, scales.astype(np.float64)

    def integers() -> Array:
        array = load()
        q = np.rint(array.reshape(len(weights), -1) / weights[:, None])
        return np.clip(q, -127, 127).astype(np.int8)

    layer.weights[0] = Weight(integers, tagged=True, int8=True)
    layer.int8 = Int8(input_scale, kept)


def points(e: Emitter, keep_float: Iterable[str]) -> Points:
    """What an emitter of a float Graph was offered, but for the layers that stay float."""
    kept = set(keep_float)
    offers = [o for o in e.offers if layer_of(o.node) not in kept]
    readers: dict[str, list[str]] = defaultdict(list)
    for o in offers:
        readers[_name(o.node.inputs[0])].append(layer_of(o.node))
    groups = tuple(Group((value,), frozenset(layers)) for value, layers in readers.items())
    weights = tuple(
        Weights(
            layer_of(o.node), _name(o.node.inputs[0]), _name(o.node.inputs[1]), o.axis, o.bias, narrow=True, share=o.share, bias_int32=False
        )
        for o in offers
    )
    return Points(Scheme("int8", symmetric=True), tuple(layer_of(o.node) for o in offers), groups, weights)


def _name(value: ir.Value | None) -> str:
    assert value is not None
    return str(value.name)


def unsaid(e: Emitter) -> list[Problem]:
    """Pairs that an `.param` cannot say: those on the way to anything but an int8 layer."""
    takers = {layer_of(o.node) for o in e.offers if e.rounded_input(o.node) is not None}
    found = [(edge.value, sorted(edge.readers - takers)) for edge in e.quantization.edges]
    values = {str(v.name): v for v in (*e.graph.model.graph.inputs, *(o for n in e.graph.nodes for o in n.outputs))}
    for name in e.quantization.values:
        users = {layer_of(user) for user, _ in values[name].uses()} - takers
        found.append((name, sorted(users) + ["the outside"] * values[name].is_graph_output()))
    reason = "is rounded for {}; ncnn rounds only on the way into convolutions and dense layers"
    return [Problem(name, "QuantizeLinear", reason.format(", ".join(others))) for name, others in found if others]


def finish(layers: list[Layer], kept: set[str]) -> dict[str, float]:
    """Let integers pass between int8 layers where that is the same, and write scales and parameter 8.

    Args:
        layers: After fusion, before splits.
        kept: Blobs that are outputs of the graph, and so stay float.

    Returns:
        The scale of every blob that holds integers.
    """
    readers: dict[str, list[Layer]] = defaultdict(list)
    for layer in layers:
        for blob in layer.inputs:
            readers[blob].append(layer)
    integers: dict[str, float] = {}
    for layer in layers:
        if layer.int8 is None:
            continue
        blob = layer.outputs[0]
        scales = {r.int8.input if r.int8 is not None else None for r in readers[blob]}
        common = scales.pop() if len(scales) == 1 else None
        if common is not None and blob not in kept and layer.kind in GIVES_INT8:
            layer.int8.output = integers[blob] = common
        _write(layer, layer.int8)
    return integers


def overflows_winograd(weights: Array) -> bool:
    """Whether a layer's sums may pass `WINOGRAD_LIMIT`, behind which ncnn's Winograd convolution gives garbage without a word.

    For what is even in the input: its largest number times the sum of the weights. For what varies: 64, a standard deviation of half the
    range, times four lengths of the weights. The worst case of all, every number at its end and of its weight's sign, is not covered:
    it would take Winograd from most wide layers, and trained layers do not come near it.

    Args:
        weights: Integers, output channels first.
    """
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    reach = 127 * np.abs(rows.sum(axis=1)) + 4 * 64 * np.sqrt(np.square(rows).sum(axis=1))
    return bool(reach.max() >= WINOGRAD_LIMIT)


def _runs_winograd(layer: Layer) -> bool:
    """3x3, no step, not dilated; depthwise layers go another way, and come to no such sums."""
    if layer.kind not in GIVES_INT8:
        return False
    return [layer.params[i] for i in (1, 11, 2, 12, 3, 13)] == [3, 3, 1, 1, 1, 1]


def _write(layer: Layer, how: Int8) -> None:
    if _runs_winograd(layer) and overflows_winograd(layer.weights[0].load()):
        layer.params[31] = NO_WINOGRAD
    layer.params[8] = TERMS[layer.kind] + REQUANTIZED * (how.output is not None)
    scales = [how.weight, np.array([how.input]), *([] if how.output is None else [np.array([how.output])])]
    layer.weights += [raw((1 / s.astype(np.float64)).astype(np.float32)) for s in scales]
