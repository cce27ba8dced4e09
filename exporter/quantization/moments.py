"""Convolutions and products as rows of weights times columns of inputs, and the second moments of these over samples."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.points import Weights
from exporter.graph import Graph, attr
from exporter.graph.qdq import layer_of
from exporter.quantization.switchboard import Feeds, Switchboard

COLUMNS = 4096
"""Columns of inputs that moments are taken over, at most: places in all samples."""


@dataclass(frozen=True, slots=True)
class Product:
    """A layer as y = W x, group by group.

    Attributes:
        weights: The layer's constants.
        node: Conv, or Gemm without factors.
        groups: Of a convolution; 1 for a product.
    """

    weights: Weights
    node: ir.Node
    groups: int

    @property
    def layer(self) -> str:
        """What the layer goes by."""
        return layer_of(self.node)

    @property
    def transposed(self) -> bool:
        """Whether the weight has its outputs on axis 1."""
        return self.node.op_type == "Gemm" and not attr(self.node, "transB", 0)

    def rows(self, weight: Array) -> Array:
        """(groups, outputs, inputs); inputs are channels, then places."""
        flat = weight.T if self.transposed else weight.reshape(len(weight), -1)
        return flat.reshape(self.groups, -1, flat.shape[1])

    def weight_of(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """The inverse of `rows`."""
        flat = rows.reshape(-1, rows.shape[2])
        return flat.T if self.transposed else flat.reshape(shape)

    def columns(self, x: Array) -> Array:
        """What the rows are multiplied with: (groups, inputs, samples, places)."""
        if self.node.op_type == "Gemm":
            return x.T[None, :, :, None]
        found = patches(x, self.node)
        return found.reshape(self.groups, -1, *found.shape[2:])

    def results(self, y: Array) -> Array:
        """Outputs alike: (groups, outputs, samples, places)."""
        flat = y.reshape(len(y), y.shape[1], -1).swapaxes(0, 1)
        return flat.reshape(self.groups, -1, *flat.shape[1:])


@dataclass(frozen=True, slots=True)
class Moments:
    """Means over columns.

    Attributes:
        xx: Of x x', centred, (groups, inputs, inputs).
        yx: Of y x', centred, (groups, outputs, inputs).
        mean_x: (groups, inputs).
        mean_y: (groups, outputs), with the bias.
    """

    xx: Array
    yx: Array
    mean_x: Array
    mean_y: Array


def products(graph: Graph, weights: tuple[Weights, ...]) -> list[Product]:
    """Layers that can be seen so, whose weights are their own, in the Graph's order."""
    names = [w.weight for w in weights]
    by_layer = {w.layer: w for w in weights if names.count(w.weight) == 1}
    found = []
    for node in graph.nodes:
        w = by_layer.get(layer_of(node))
        if w is None or node.inputs[1] is None or node.inputs[1].name != w.weight:
            continue
        if node.op_type == "Conv" and node.inputs[1].shape is not None and len(node.inputs[1].shape) == 4:
            found.append(Product(w, node, int(attr(node, "group", 1))))
        elif node.op_type == "Gemm" and attr(node, "alpha", 1.0) == attr(node, "beta", 1.0) == 1.0 and not attr(node, "transA", 0):
            found.append(Product(w, node, 1))
    return found


def patches(x: Array, node: ir.Node) -> Array:
    """Windows of a 2-D convolution: (channels, kernel places, samples, output places).

    Args:
        x: Its input, (n, channels, height, width).
        node: The Conv, with explicit pads.
    """
    weight = node.inputs[1]
    assert weight is not None
    assert weight.shape is not None
    kernel = [int(str(d)) for d in list(weight.shape)[2:]]
    pads, strides, steps = attr(node, "pads", (0,) * 4), attr(node, "strides", (1, 1)), attr(node, "dilations", (1, 1))
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    span = [(k - 1) * d + 1 for k, d in zip(kernel, steps, strict=True)]
    seen = np.lib.stride_tricks.sliding_window_view(x, span, (2, 3))
    seen = seen[:, :, :: strides[0], :: strides[1], :: steps[0], :: steps[1]]
    moved = seen.transpose(1, 4, 5, 0, 2, 3)
    return moved.reshape(moved.shape[0], -1, moved.shape[3], moved.shape[4] * moved.shape[5])


def moments(board: Switchboard, feeds: tuple[Feeds, Feeds], product: Product, samples: Mapping[str, Array], seed: int) -> Moments:
    """Inputs as the rounded net has them, outputs as the float net has them.

    Args:
        board: Tells what the layer reads and computes.
        feeds: Of the rounded net, and of the float net.
        product: The layer.
        samples: By Graph input name.
        seed: Of the places looked at.
    """
    read, out = board.input_of(product.layer), board.raw_of(product.layer)
    random, count = np.random.default_rng(seed), len(next(iter(samples.values())))
    xs, ys = [], []
    for got, want in zip(board.chunks(feeds[0], samples, [read]), board.chunks(feeds[1], samples, [out]), strict=True):
        x, y = product.columns(got[read]), product.results(want[out])
        places = x.shape[3]
        keep = np.sort(random.permutation(places)[: max(COLUMNS // count, 1)])
        xs.append(x[..., keep].reshape(*x.shape[:2], -1))
        ys.append(y[..., keep].reshape(*y.shape[:2], -1))
    return _moments(np.concatenate(xs, 2).astype(np.float64), np.concatenate(ys, 2).astype(np.float64))


def _moments(x: Array, y: Array) -> Moments:
    mean_x, mean_y = x.mean(2), y.mean(2)
    x, y = x - mean_x[:, :, None], y - mean_y[:, :, None]
    turned = x.swapaxes(1, 2)
    return Moments(x @ turned / x.shape[2], y @ turned / x.shape[2], mean_x, mean_y)
