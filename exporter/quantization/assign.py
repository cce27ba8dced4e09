"""From ranges to numbers: the scale and zero point of every activation, weight and bias.

Activations, asymmetric:  s = (max - min) / 255,  z = round(low - min / s)    with 0 in the range, low = -128 or 0
Activations, symmetric:   s = max|x| / 127,       z = 0                       (128 for uint8)
Weights:                  s_w = max|w| / 127 per output channel
Biases:                   s_b = s_in * s_w, int32

Source: Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 2; TFLite's 8-bit specification,
https://ai.google.dev/edge/litert/models/quantization_spec.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from exporter.array import Array
from exporter.formats.points import Group, Points, Range, Ranges, Scheme, Weights
from exporter.graph import Graph, const
from exporter.graph.qdq import LIMITS, Affine, Edge, Quantization, affine

SMALLEST = float(np.finfo(np.float32).tiny) * 2.0**20
"""No scale is smaller: products of two must stay normal float32 numbers, and their quotients finite."""

LARGEST_BIAS = 2.0**30
"""Of stored biases: half of int32 is left for the sum of products."""

FAINT = 2.0**-20
"""A channel's weights below this share of the layer's largest are given its scale: they cannot be seen in the rounded output, and
engines refuse multipliers that small (XNNPACK: below 2^-32)."""


def assign(graph: Graph, points: Points, ranges: Ranges, scales: Mapping[str, Array] | None = None) -> Quantization:
    """Scales and zero points of everything that a format stores in integers.

    Args:
        graph: The float Graph that the points are of, after `unshare`.
        points: What is quantized.
        ranges: Chosen smallest and largest real, by value name; a superset of the points' values.
        scales: Weight scales found elsewhere (weights already lie on their grid), by initializer name; else from the largest weight.
            They are held to: only a bias that int32 cannot hold raises them.

    Raises:
        ValueError: If a range is missing or not finite; names the value.
    """
    values: dict[str, Affine] = {}
    edges: dict[Edge, Affine] = {}
    constants: dict[str, Affine] = {}
    for group in points.groups:
        how = group_affine(graph, points.scheme, group, ranges)
        for name in group.values:
            if name in graph.model.graph.initializers:
                constants[name] = how
            elif group.readers is None:
                values[name] = how
            else:
                edges[Edge(name, group.readers)] = how
    known = {**{edge.value: how for edge, how in edges.items()}, **values}
    for again in points.requantize:
        edges[Edge(again.value, frozenset({again.reader}))] = known[again.like]
    for name in points.constants:
        if name not in constants:
            constants[name] = activation(_span(array_of(graph, name)), points.scheme)
    constants.update(_layers(graph, points.weights, values, edges, scales or {}))
    return Quantization(values, edges, constants)


REACH = 1 + 1 / 128
"""A scale grows by no more than that to reach an end of its range."""


def group_affine(graph: Graph, scheme: Scheme, group: Group, ranges: Ranges) -> Affine:
    """The one scale of a group: what its engine insists on, or from the union of its values' ranges."""
    if group.fixed is not None:
        return affine(*group.fixed, scheme.dtype, narrow=_narrow(scheme))
    return activation(union(_range(graph, name, ranges) for name in group.values), scheme)


def activation(seen: Range, scheme: Scheme) -> Affine:
    """Scale and zero point for a range; 0 is always a stored number exactly. A value that is always 0 gets scale 1.

    Args:
        seen: Smallest and largest real; widened to hold 0.
        scheme: How the engine stores activations.
    """
    low, high = min(seen[0], 0.0), max(seen[1], 0.0)
    first, last = LIMITS[scheme.dtype]
    if scheme.symmetric:
        size = max(-low, high)
        scale = _positive(size / 127) if size else 1.0
        return affine(scale, (first + last + 1) // 2, scheme.dtype, narrow=_narrow(scheme))
    scale = _positive((high - low) / 255) if high > low else 1.0
    zero = int(np.clip(np.rint(first - low / scale), first, last))
    return affine(_reaching(scale, low, high, (zero - first, last - zero)), zero, scheme.dtype)


def _reaching(scale: float, low: float, high: float, steps: tuple[int, int]) -> float:
    """The scale, a little larger where the rounded zero point would leave an end of the range out.

    From -1 to 1 in steps of 2/255 every 8-bit pixel (x - 127.5) / 127.5 lies just between two numbers, half a step from both, and each
    engine rounds it another way. In steps of 1/127 it does not.
    """
    wanted = [-low / steps[0] if steps[0] else 0.0, high / steps[1] if steps[1] else 0.0]
    return _positive(max(scale, *(w for w in wanted if w <= scale * REACH), 0.0))


def union(ranges: Iterable[Range]) -> Range:
    """The smallest range that holds all."""
    spans = list(ranges)
    return min(s[0] for s in spans), max(s[1] for s in spans)


def weight_scale(weight: Array, axis: int | None, share: int = 1) -> Array:
    """s_w = max|w| / 127, float32, of shape () or (channels,).

    Channels of zeros, or all but zeros, take the scale of the layer's others: any does for them, and their bias stays as fine as theirs.

    Args:
        weight: The weights.
        axis: Of output channels; None for one scale.
        share: Channels in a row that share one.
    """
    size = np.abs(weight.astype(np.float64))
    if axis is None:
        return np.asarray(_positive(float(size.max(initial=0.0)) / 127) if size.any() else 1.0, np.float32)
    largest = size.max(axis=tuple(i for i in range(weight.ndim) if i != axis))
    largest = np.repeat(largest.reshape(-1, share).max(axis=1), share)
    faint = largest <= FAINT * largest.max()
    if faint.all():
        return np.ones(len(largest), np.float32)
    largest = np.where(faint, np.median(largest[~faint]), largest)
    return np.maximum(largest / 127, SMALLEST).astype(np.float32)


def raised(scale: Array, bias: Array, input_scale: float, share: int = 1, largest: float = LARGEST_BIAS) -> Array:
    """Weight scales, raised where |bias| / (s_in * s_w) would pass the largest.

    Args:
        scale: As `weight_scale` gives them.
        bias: Float, (channels,).
        input_scale: s_in.
        share: As there.
        largest: Of stored biases.
    """
    needed = np.abs(bias.astype(np.float64)).reshape(-1) / (float(input_scale) * largest)
    if scale.ndim == 0:
        return np.asarray(max(float(scale), float(needed.max(initial=0.0))), np.float32)
    needed = np.repeat(needed.reshape(-1, share).max(axis=1), share)
    return np.maximum(scale, needed).astype(np.float32)


def array_of(graph: Graph, name: str) -> Array:
    """An initializer's array."""
    array = const(graph.model.graph.initializers[name])
    assert array is not None
    return array


def _layers(
    graph: Graph, layers: Iterable[Weights], values: Mapping[str, Affine], edges: Mapping[Edge, Affine], scales: Mapping[str, Array]
) -> dict[str, Affine]:
    """Weights and biases; weights that layers share have one scale, the largest that any of them needs."""
    inputs = {w.layer: input_scale(w, values, edges) for w in layers}
    found: dict[str, Array] = {}
    for w in layers:
        weight, given = array_of(graph, w.weight), w.weight in scales
        scale = scales[w.weight] if given else np.maximum(weight_scale(weight, w.axis, w.share), w.least_scale(weight))
        if w.bias is not None and w.bias_int32:
            scale = raised(scale, array_of(graph, w.bias), inputs[w.layer], w.share, 2 * LARGEST_BIAS - 2**8 if given else LARGEST_BIAS)
        found[w.weight] = np.maximum(scale, found.get(w.weight, scale))
    result: dict[str, Affine] = {}
    for w in layers:
        low, high = LIMITS[w.dtype]
        zero = np.full(found[w.weight].shape, (low + high + 1) // 2, w.dtype)
        result[w.weight] = Affine(found[w.weight], zero, w.axis if zero.ndim else None, w.narrow)
        if w.bias is not None and w.bias_int32:
            result[w.bias] = _bias(array_of(graph, w.bias), np.float32(inputs[w.layer]) * found[w.weight])
    return result


def _bias(bias: Array, scale: Array) -> Affine:
    """Of int32; one scale a channel lies along the bias's only axis that is not 1."""
    if scale.ndim == 0:
        return Affine(scale, np.zeros((), np.int32))
    axis = next((i for i, n in enumerate(bias.shape) if n == len(scale)), bias.ndim - 1)
    return Affine(scale.astype(np.float32), np.zeros(scale.shape, np.int32), axis)


def input_scale(w: Weights, values: Mapping[str, Affine], edges: Mapping[Edge, Affine]) -> float:
    """s_in of a layer, as the layer sees its input.

    Raises:
        ValueError: If its input is not quantized.
    """
    for edge, how in edges.items():
        if edge.value == w.input and w.layer in edge.readers:
            return float(how.scale)
    if w.input not in values:
        raise ValueError(f"layer {w.layer} is to run in integers, but its input {w.input} is not quantized")
    return float(values[w.input].scale)


def _range(graph: Graph, name: str, ranges: Ranges) -> Range:
    if name in ranges:
        low, high = ranges[name]
    elif name in graph.model.graph.initializers:
        low, high = _span(array_of(graph, name))
    else:
        raise ValueError(f"no range of the value {name}: it is quantized, but was not calibrated")
    if not np.isfinite([low, high]).all():
        raise ValueError(f"the value {name} runs from {low} to {high}: only finite ranges can be quantized")
    return float(low), float(high)


def _span(array: Array) -> Range:
    return float(array.min(initial=0.0)), float(array.max(initial=0.0))


def _narrow(scheme: Scheme) -> bool:
    return scheme.symmetric and scheme.dtype == "int8"


def _positive(scale: float) -> float:
    """As float32 has it, so that zero points are computed with the very number that is stored."""
    return float(np.float32(max(scale, SMALLEST)))
