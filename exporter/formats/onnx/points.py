"""What onnxruntime computes in integers from QuantizeLinear pairs.

Rules: activations are uint8 (its kernels are written for them; int8 is turned into uint8 on x86, and not always fused then), weights int8
with a scale each channel (uint8 in layers that cost little). A layer runs in integers when every activation that it reads comes out of a
pair and its output goes into one; matrix products may end in float. What only moves numbers keeps their scale. Behind the last product
nothing is rounded any more: it would cost accuracy and save nothing.

Source: onnxruntime, core/optimizer/qdq_transformer/selectors_actions/qdq_selector_action_transformer.cc
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace

import onnx_ir as ir

from exporter.formats.onnx.integer import PRODUCTS, is_clamp, is_move, products_of, runs_in_integers, weights_of
from exporter.formats.points import Group, Points, Ranges, Scheme, Weights
from exporter.graph import Graph, const, sole_consumer
from exporter.graph.qdq import layer_of

SCHEME = Scheme("uint8")


def spell_out(graph: Graph) -> None:
    """Nothing: every operator in integers stands between pairs of its own."""


def points(graph: Graph, ranges: Ranges, keep_float: AbstractSet[str], io: str = "float32") -> Points:
    """What an int8 file holds in integers.

    Args:
        graph: A finished float Graph.
        ranges: Smallest and largest number seen, by value name.
        keep_float: Layers that stay float.
        io: "int8" or "uint8" where the file's inputs and outputs shall be integers: every one is rounded then.
    """
    layers = _layers(graph, ranges, keep_float)
    rounded = _rounded(graph, layers, io != "float32")
    groups = _Groups(rounded)
    for node in graph.nodes:
        if is_move(node):
            groups.join(v for v in (node.inputs[0], *node.outputs) if v in rounded)
    for node in layers:
        if node.op_type == "Concat":
            _join_concat(groups, node, ranges)
    weights = tuple(_weights(layers).values())
    constants = [str(v.name) for n in layers if n.op_type in ("Add", "Mul", "Concat") for v in n.inputs if const(v) is not None and v]
    return Points(SCHEME, tuple(map(layer_of, layers)), groups.all(), weights, (), tuple(dict.fromkeys(constants)))


LIGHT = 0.09
"""Share of all products: the layers that make up so few of them, smallest first, have uint8 weights, whose kernels sum in 32 bits. They
need no scale that keeps sums of 16 bits from overflowing, 2 dB coarser as a rule, and are too few to be seen in the time: with 0.1, the
first pointwise layer of MobileNetV1 were one, and cost 11 % of all where a processor has dot products of int8 weights alone."""


def _weights(layers: list[ir.Node]) -> dict[ir.Node, Weights]:
    """The constants of the layers that have some, light layers' in uint8."""
    found = {n: w for n in layers if (w := weights_of(n)) is not None}
    products = {n: products_of(n) for n in found}
    left = LIGHT * sum(products.values())
    for node in sorted(found, key=products.__getitem__):
        left -= products[node]
        if left < 0:
            break
        if found[node].pairs is not None:
            found[node] = replace(found[node], dtype="uint8", pairs=None)
    return found


def _layers(graph: Graph, ranges: Ranges, keep_float: AbstractSet[str]) -> list[ir.Node]:
    """The layers that compute in integers, in order: products, and what has kernels and a product behind it."""
    able = {n for n in graph.nodes if layer_of(n) not in keep_float and runs_in_integers(n, ranges)}
    ahead: set[ir.Node] = set()
    for node in reversed(graph.nodes):
        readers = [u for o in node.outputs for u, _ in o.uses()]
        if any(u in ahead or (u in able and u.op_type in PRODUCTS) for u in readers):
            ahead.add(node)
    return [n for n in graph.nodes if n in able and (n.op_type in PRODUCTS or n in ahead)]


def _rounded(graph: Graph, layers: list[ir.Node], ports: bool) -> dict[ir.Value, None]:
    """Values that a pair stands on."""
    ours = set(layers)
    found = {v: None for n in layers for v in n.inputs if v is not None and const(v) is None}
    for node in layers:
        out = ended(node)
        readers = [u for u, _ in out.uses()]
        if not (node.op_type in ("Gemm", "MatMul") and not any(u in ours for u in readers)):
            found[out] = None
    if ports:
        found |= dict.fromkeys((*graph.model.graph.inputs, *graph.model.graph.outputs))
    known = -1
    while known != len(found):
        known = len(found)
        for node in graph.nodes:
            if is_move(node) and any(v in found for v in (node.inputs[0], *node.outputs)):
                found |= dict.fromkeys(v for v in (node.inputs[0], *node.outputs) if v is not None)
    order = [*graph.model.graph.inputs, *(o for n in graph.nodes for o in n.outputs)]
    return dict.fromkeys(v for v in order if v in found)


def ended(node: ir.Node) -> ir.Value:
    """Where a layer's output is rounded: behind the Relu or Clip that alone reads it, which the range says already."""
    out = node.outputs[0]
    reader = sole_consumer(out)
    return reader.outputs[0] if reader is not None and is_clamp(reader) else out


def _join_concat(groups: "_Groups", node: ir.Node, ranges: Ranges) -> None:
    """One scale for what is joined, so that nothing is rounded twice; not where it would undo a Relu: its zero must be the least number."""
    values = [v for v in (*node.inputs, ended(node)) if v is not None and const(v) is None]
    members = [m for v in values for m in groups.of(v)]
    low = min(ranges[str(m.name)][0] for m in members)
    high = max(ranges[str(m.name)][1] for m in members)
    if all(_clamped(m, low, high) for m in members):
        groups.join(values)


def _clamped(value: ir.Value, low: float, high: float) -> bool:
    """Whether a range leaves the Relu or Clip that makes a value without effect, or there is none."""
    node = value.producer()
    if node is None or not is_clamp(node):
        return True
    least, most = (const(node.inputs[i]) if i < len(node.inputs) else None for i in (1, 2))
    floor = 0.0 if node.op_type == "Relu" else -float("inf") if least is None else float(least)
    return low >= floor and (most is None or high <= float(most))


class _Groups:
    """Which values share a scale."""

    def __init__(self, values: Iterable[ir.Value]) -> None:
        self._group = {v: [v] for v in values}

    def of(self, value: ir.Value) -> list[ir.Value]:
        return self._group[value]

    def join(self, values: Iterable[ir.Value]) -> None:
        lists = {id(g): g for v in values for g in [self._group[v]]}
        whole = [v for g in lists.values() for v in g]
        self._group.update(dict.fromkeys(whole, whole))

    def all(self) -> tuple[Group, ...]:
        once = {id(g): g for g in self._group.values()}
        return tuple(Group(tuple(str(v.name) for v in g)) for g in once.values())
