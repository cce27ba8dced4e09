"""Cross-layer equalisation: channels of one value brought to like sizes, as they share one scale; exact in float.

    Given:   v = f(W1 u + b1),  y = W2 v + b2,   f positively homogeneous
    Result:  W1[i] / s_i,  b1[i] / s_i,  W2[:, i] * s_i

for all layers that write and read channel i, which may be several (`scalable`). Weights have a scale each output channel, so dividing W1's
rows costs nothing; what s_i trades is the size a_i of v's channel against the size r_i of W2's column: s_i = sqrt(a_i / r_i). A depthwise
W2 has a scale each channel itself: there s_i = a_i alone. A Clip from 0 to c is homogeneous only while c is out of reach: s_i is chosen so
that a channel's largest number, and `MARGIN` more, stays within.

Source: Nagel et al. 2019, https://arxiv.org/abs/1906.04721, section 4.1, with ranges of activations in place of W1's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.channels.layers import Layer
from exporter.channels.ties import Ties
from exporter.formats.points import Range
from exporter.graph import Graph, const
from exporter.graph.evaluate import Evaluator
from exporter.quantization.assign import union
from exporter.quantization.scalable import Scalable, scalable

MARGIN = 1.1
"""Of a channel's largest number below a Clip: others may be larger than those seen."""

LEAST = 1 / 32
"""No channel is divided by less than this share of the largest divisor: rare numbers would leave the range."""

AT_ONCE = 4
"""Samples of which all values are held at once."""

SWEEPS = 2
"""Over the net: a layer's columns are as large as its rows, which are divided too, leave them."""


@dataclass(frozen=True, slots=True)
class Equalised:
    """A Graph with like channels.

    Attributes:
        graph: That one.
        values: Names of the values that layers read so; none where nothing was to be done.
        exact: Whether it is the same net for all inputs, those beyond a Clip too.
    """

    graph: Graph
    values: tuple[str, ...]
    exact: bool


def equalised(graph: Graph, samples: Mapping[str, Array]) -> Equalised:
    """A Graph with like channels; the one given stays as it is.

    Args:
        graph: The float Graph.
        samples: What the sizes of channels are measured on, by Graph input name.
    """
    result = graph.clone()
    found = scalable(result)
    if not found.values:
        return Equalised(result, (), exact=True)
    sizes = _by_class(found, channel_sizes(result, list({**dict.fromkeys(found.values), **found.limits}), samples))
    blocks = _blocks(found)
    for _ in range(SWEEPS):
        scale = _divisors(found, sizes, blocks)
        _apply(found, scale)
        sizes = {value: size / scale for value, size in sizes.items()}
    return Equalised(result, found.values, exact=not found.limits)


def channel_sizes(graph: Graph, values: list[str], samples: Mapping[str, Array]) -> dict[str, Array]:
    """Largest magnitude of every channel (axis 1) of some values, float64."""
    evaluator = Evaluator(graph, values)
    sizes: dict[str, Array] = {}
    for i in range(0, len(next(iter(samples.values()))), AT_ONCE):
        for name, x in evaluator.run({k: v[i : i + AT_ONCE] for k, v in samples.items()}).items():
            here = np.abs(x).max(axis=tuple(a for a in range(x.ndim) if a != 1)).astype(np.float64)
            sizes[name] = np.maximum(sizes.get(name, here), here)
    return sizes


def spans(graph: Graph, values: list[str], samples: Mapping[str, Array]) -> dict[str, Range]:
    """Smallest and largest element of some values."""
    evaluator = Evaluator(graph, [v for v in values if v not in samples])
    found = {v: (float(samples[v].min()), float(samples[v].max())) for v in values if v in samples}
    for i in range(0, len(next(iter(samples.values()))), AT_ONCE):
        for name, x in evaluator.run({k: v[i : i + AT_ONCE] for k, v in samples.items()}).items():
            found[name] = union([(float(x.min()), float(x.max())), *([found[name]] if name in found else [])])
    return found


def _by_class(found: Scalable, sizes: Mapping[str, Array]) -> dict[str, Array]:
    """Of each value the largest magnitude of every class of channels, (classes,)."""
    return {name: _largest(found, found.channels.classes[name].ravel(), size) for name, size in sizes.items()}


def _largest(found: Scalable, classes: Array, sizes: Array) -> Array:
    result = np.zeros(len(found.free))
    np.maximum.at(result, np.broadcast_to(classes, sizes.shape), sizes)
    return result


def _blocks(found: Scalable) -> Array:
    """The number of each class's block: classes that meet in a value which a layer reads, int64 (classes,)."""
    ties = Ties()
    ties.fresh(len(found.free))
    for name in found.values:
        free = np.unique(found.channels.classes[name])
        free = free[found.free[free]]
        ties.tie(free, free[:1])
    return ties.classes()[0]


def _divisors(found: Scalable, sizes: Mapping[str, Array], blocks: Array) -> Array:
    """s of each class, at most 1; classes that are held, or were always 0, keep their size."""
    seen, column = (np.zeros(len(found.free)) for _ in range(2))
    for layer in found.readers:
        size, classes = sizes[_read(layer)], found.channels.read(layer)
        seen = np.maximum(seen, _share(size))
        if not layer.depthwise and classes is not None:
            column = np.maximum(column, _largest(found, classes, _share(np.abs(layer.table(layer.weight)).max(axis=(1, 3)).ravel())))
    wanted = np.where(column > 0, np.sqrt(seen / np.where(column > 0, column, 1.0)), seen) * found.free
    top = np.zeros(len(blocks))
    np.maximum.at(top, blocks, wanted)
    scale = np.where(wanted > 0, np.maximum(wanted / np.where(wanted > 0, top[blocks], 1.0), LEAST), 1.0)
    for name, limit in found.limits.items():
        scale = np.maximum(scale, np.minimum(MARGIN * sizes[name] / limit, 1.0))
    return np.where(found.free, scale, 1.0)


def _share(sizes: Array) -> Array:
    """Of the largest."""
    return sizes / max(float(sizes.max(initial=0.0)), np.finfo(np.float64).tiny)


def _apply(found: Scalable, scale: Array) -> None:
    for layer in found.channels.layers.values():
        read, made = found.channels.read(layer), found.channels.made(layer)
        columns = np.ones(layer.columns) if read is None else scale[read]
        rows = np.ones(layer.rows) if made is None else scale[made]
        if (columns == 1).all() and (rows == 1).all():
            continue
        weight = layer.weight
        table = layer.table(weight.astype(np.float64))
        table = table * columns.reshape(layer.groups, 1, -1, 1) / rows.reshape(layer.groups, -1, 1, 1)
        _set(layer.node.inputs[1], layer.untable(table, layer.kernel))
        if layer.bias is not None:
            bias = const(layer.bias)
            assert bias is not None
            _set(layer.bias, bias / rows.reshape(bias.shape))


def _read(layer: Layer) -> str:
    value = layer.node.inputs[0]
    assert value is not None
    return str(value.name)


def _set(value: ir.Value | None, array: Array) -> None:
    assert value is not None
    value.const_value = ir.tensor(np.ascontiguousarray(array, np.float32), name=value.name)
