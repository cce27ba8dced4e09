"""One layer alone, at any width: a Graph of the layer and its activation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.channels.layers import Layer, layers_of
from exporter.errors import UsageError, unknown_name
from exporter.graph import BATCH, CHANNELS_FIRST, DOMAIN, OPSET, Graph, Port, attr, shape_of, sole_consumer
from exporter.graph.shapes import infer_shapes
from exporter.passes.run import clean

ACTIVATIONS = (
    "Relu",
    "Clip",
    "Sigmoid",
    "Tanh",
    "HardSwish",
    "HardSigmoid",
    "LeakyRelu",
    "Elu",
    "Selu",
    "Gelu",
    "Mish",
    "Softplus",
    "Softsign",
)
"""What is timed along with the layer before it, as engines fuse it or run it in the same cache."""


@dataclass(frozen=True, slots=True)
class Site:
    """A layer whose width is tried.

    Attributes:
        name: As `mexport inspect` lists it.
        layer: The layer.
        activation: The node after it, if it is one of ACTIVATIONS.
        also: Names of the Graph's other layers of the same operator and shapes.
    """

    name: str
    layer: Layer
    activation: ir.Node | None
    also: tuple[str, ...] = ()

    @property
    def shape_in(self) -> tuple[int, ...]:
        """Of its input, 1 on the batch axis."""
        value = self.layer.node.inputs[0]
        assert value is not None
        return shape_of(value)

    def alone(self, width: int, *, channels_last: bool = False, seed: int = 0) -> Graph:
        """A Graph of the layer and its activation, cleaned, its weights N(0, 1) over the root of what is summed.

        Args:
            width: Output channels; of a depthwise layer its input's too.
            channels_last: Whether the source's layout is NHWC: what an engine of that layout needs not to transpose.
            seed: Of the weights.
        """
        rng = np.random.default_rng(seed)
        node, shape = self.layer.node, list(self.shape_in)
        if self.layer.depthwise:
            shape[self.layer.channel_axis] = width
        x = ir.Value(name="x", shape=ir.Shape([BATCH, *shape[1:]]), type=ir.TensorType(ir.DataType.FLOAT))
        arrays = _weights(self.layer, width, rng)
        made = [_constant(f"w{i}", array) for i, array in enumerate(arrays)]
        changed = [ir.AttrInt64("group", width)] if self.layer.depthwise else []
        kept = [a for a in node.attributes.values() if not (changed and a.name == "group")]
        nodes = [ir.Node(node.domain, node.op_type, [x, *made], [*kept, *changed], outputs=[ir.Value(name="y0")])]
        if self.activation is not None:
            bounds = [None if v is None else _constant(f"b{i}", _array(v)) for i, v in enumerate(self.activation.inputs[1:])]
            made += [v for v in bounds if v is not None]
            same = list(self.activation.attributes.values())
            inputs = [nodes[0].outputs[0], *bounds]
            nodes.append(ir.Node(self.activation.domain, self.activation.op_type, inputs, same, outputs=[ir.Value(name="y1")]))
        return _graph(x, nodes, made, len(shape), channels_last)


def sites_of(graph: Graph) -> dict[str, Site]:
    """Every layer of a finished Graph whose width can be tried, by name: convolutions and products with constant weights.

    Grouped convolutions are left out, but for depthwise ones: their width is tied to what they read.
    """
    found = {}
    for layer in layers_of(graph).values():
        if layer.groups == 1 or (layer.depthwise and layer.rows == layer.columns):
            after = sole_consumer(layer.node.outputs[0])
            fused = after if after is not None and after.op_type in ACTIVATIONS and after.domain in ("", "ai.onnx") else None
            name = layer.node.name or layer.name
            found[name] = Site(name, layer, fused)
    return found


def site_named(graph: Graph, name: str) -> Site:
    """The layer of that name, or whose output has it.

    Raises:
        UsageError: If there is none, or its width cannot be tried.
    """
    sites = sites_of(graph)
    found = {**{s.layer.name: s for s in sites.values()}, **sites}
    if name in found:
        return found[name]
    for node in graph.nodes:
        if name in (node.name, node.outputs[0].name):
            why = "its channels are grouped" if node.op_type == "Conv" else "it has no weights, or computed ones"
            raise UsageError(
                f"--layer {name}: the width of this {node.op_type} cannot be tried: {why}", hint=f"try {next(iter(sites), '')}"
            )
    raise unknown_name("layer", name, sites)


def distinct(graph: Graph) -> list[Site]:
    """One layer of each operator, shape and activation, in the Graph's order, with the names of those like it."""
    groups: dict[str, list[Site]] = {}
    for site in sites_of(graph).values():
        groups.setdefault(_kind(site), []).append(site)
    return [Site(s[0].name, s[0].layer, s[0].activation, tuple(o.name for o in s[1:])) for s in groups.values()]


def _kind(site: Site) -> str:
    """What makes two layers the same work."""
    node, after = site.layer.node, site.activation
    settings = sorted((a.name, str(a.value)) for a in node.attributes.values())
    return f"{node.op_type} {site.shape_in} {site.layer.rows} {site.layer.kernel} {settings} {after.op_type if after is not None else ''}"


def _weights(layer: Layer, width: int, rng: np.random.Generator) -> list[Array]:
    """The weight, and a bias where the layer has one."""
    op, shape = layer.node.op_type, list(layer.weight.shape)
    axis = 0 if op == "Conv" or (op == "Gemm" and attr(layer.node, "transB", 0)) else 1
    shape[axis] = width
    summed = max(int(np.prod(shape)) // width, 1)
    weight = rng.standard_normal(shape).astype(np.float32) / np.float32(summed**0.5)
    return [weight] if layer.bias is None else [weight, rng.standard_normal(width).astype(np.float32)]


def _array(value: ir.Value) -> Array:
    assert value.const_value is not None
    return np.asarray(value.const_value.numpy())


def _constant(name: str, array: Array) -> ir.Value:
    tensor = ir.tensor(array, name=name)
    return ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)


def _graph(x: ir.Value, nodes: Sequence[ir.Node], made: Sequence[ir.Value], rank: int, channels_last: bool) -> Graph:
    y = nodes[-1].outputs[0]
    body = ir.Graph([x], [y], nodes=nodes, initializers=made, opset_imports={"": OPSET, DOMAIN: 1}, name="layer")
    perm = CHANNELS_FIRST[rank] if channels_last else tuple(range(rank))
    graph = Graph(ir.Model(body, ir_version=10), (Port("x", "x", perm),), (Port("y", str(y.name), perm),), "layer")
    infer_shapes(graph)
    clean(graph)
    return graph
