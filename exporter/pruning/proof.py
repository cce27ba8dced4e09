"""Is the pruned Graph the same as the whole one in which the removed channels are read with weights of zero?

Nothing of the walk over channels or of the slicer is used. Which channels are gone at each layer's input is found by running the Graph
itself on marks: layers are cut out, and where they were a 1 stands for each row that was removed and a 0 for the others. Marks pass
activations unchanged; where two meet, they must agree. Data that moves is moved by onnxruntime.
"""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.errors import ParityError
from exporter.graph import Graph, attr, const, shape_of
from exporter.graph.evaluate import evaluate
from exporter.graph.sizes import least_sizes, relative

Removed = Mapping[str, Array]
"""Output channels that a layer has lost, int64, by the name of its output; layers that lost none may be left out."""

_LAYERS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
_MOVES = frozenset((
    "AveragePool", "ChannelShuffle", "Concat", "DepthToSpace", "Flatten", "Gather", "GlobalAveragePool", "GlobalMaxPool", "MaxPool",
    "ReduceMax", "ReduceMean", "ReduceMin", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Transpose", "Unsqueeze",
))  # fmt: skip
"""Run as they are: of equal marks they make the same mark."""


def require_exact(graph: Graph, pruned: Graph, removed: Removed, inputs: Mapping[str, Array], limit: float = 1e-5) -> float:
    """Compare on samples.

    Args:
        graph: The whole Graph.
        pruned: What the slicer made of it, unrepaired.
        removed: What it was told to remove.
        inputs: Samples by Graph input name, in Graph layout.
        limit: Largest difference allowed: float32 sums of the same numbers in another order.

    Returns:
        The largest difference of any output, relative to the output's size.

    Raises:
        ParityError: If it is above the limit, or channels of different fate were added up.
    """
    expected, got = evaluate(zeroed(graph, removed), inputs), evaluate(pruned, inputs)
    least = least_sizes(graph)
    worst = max(relative(want, got[name], least.get(name, 0.0)) for name, want in expected.items())
    if not worst <= limit:
        raise ParityError(f"pruning changed the outputs of {graph.name} by {worst:.2g} of their largest value, more than {limit:g}",
                          hint="this is a fault of mexport: please report the model")  # fmt: skip
    return worst


def zeroed(graph: Graph, removed: Removed) -> Graph:
    """The whole Graph with zeros for every weight that reads a removed channel; the given one stays as it is."""
    result = graph.clone()
    dead = dead_inputs(graph, removed)
    for node in result.nodes:
        gone = dead.get(str(node.outputs[0].name)) if _is_layer(node) else None
        if gone is None or not gone.any() or _reads_one(node):
            continue
        value = node.inputs[1]
        assert value is not None
        weight = _without(node, np.array(const(value)), gone)
        value.const_value = ir.tensor(weight, name=value.name)
    return result


def dead_inputs(graph: Graph, removed: Removed) -> dict[str, Array]:
    """Which input channels of each layer are gone, bool (channels,), by the layer's output's name.

    Raises:
        ParityError: If channels that are gone meet others that are not.
    """
    marks, feeds, checks = _marked(graph, removed)
    layers = {str(n.outputs[0].name): n for n in graph.nodes if _is_layer(n)}
    reads = {out: str(n.inputs[0].name) for out, n in layers.items() if n.inputs[0] is not None}
    wanted = dict.fromkeys([*reads.values(), *(name for pair in checks for name in pair)])
    inner = [name for name in wanted if name not in feeds]
    found = {**feeds, **(evaluate(marks, feeds, inner) if inner else {})}
    for a, b in checks:
        _agree(graph.name, a, b, _flat(found[a]), _flat(found[b]))
    for out, node in layers.items():
        if _reads_one(node):
            read, made = _flat(found[reads[out]]), _flat(feeds[out])
            _agree(graph.name, reads[out], out, np.repeat(read, len(made) // len(read)), made)
    return {out: _flat(found[x], -1 if layers[out].op_type == "MatMul" else 1) for out, x in reads.items()}


def _marked(graph: Graph, removed: Removed) -> tuple[Graph, dict[str, Array], list[tuple[str, str]]]:
    """The Graph of marks, what it is fed, and pairs of values that must carry the same marks."""
    marks = graph.clone()
    feeds = {str(v.name): np.zeros(shape_of(v), np.float32) for v in marks.model.graph.inputs}
    checks: list[tuple[str, str]] = []
    for node in marks.nodes:
        like = [] if _is_layer(node) else _alike(node)
        if like:
            checks += [(str(like[0].name), str(v.name)) for v in like[1:] if shape_of(v)[1] == shape_of(like[0])[1]]
            _relay(node, like)
        elif node.op_type not in _MOVES:
            feeds[str(node.outputs[0].name)] = _mark(node, removed.get(str(node.outputs[0].name)))
            _cut_out(marks, node)
    _drop_outputs(marks, feeds)
    return marks, feeds, checks


def _alike(node: ir.Node) -> list[ir.Value]:
    """The computed inputs whose marks a node hands on, those of most channels first; none of a node that moves data or is unknown."""
    computed = [v for v in node.inputs if v is not None and v.const_value is None]
    wide = shape_of(node.outputs[0])
    if node.op_type in _MOVES or not any(shape_of(v)[:2] == wide[:2] and len(shape_of(v)) == len(wide) for v in computed):
        return []
    return sorted(computed, key=lambda v: shape_of(v)[:2] != wide[:2])


def _relay(node: ir.Node, like: list[ir.Value]) -> None:
    """Make a node hand on marks: the larger one where several meet."""
    if node.op_type == "Pad":
        node.attributes.clear()
        node.attributes["mode"] = ir.AttrString("mode", "edge")
        node.resize_inputs(2)
        return
    node.op_type, node.domain = "Max", ""
    node.attributes.clear()
    node.resize_inputs(len(like))
    for index, value in enumerate(like):
        node.replace_input_with(index, value)
    node.resize_outputs(1)


def _cut_out(marks: Graph, node: ir.Node) -> None:
    """An input of the same name in the place of a node's result."""
    old = node.outputs[0]
    new = ir.Value(name=str(old.name), shape=ir.Shape(shape_of(old)), type=ir.TensorType(ir.DataType.FLOAT))
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    marks.model.graph.remove(node, safe=True)
    marks.model.graph.inputs.append(new)


def _drop_outputs(marks: Graph, feeds: dict[str, Array]) -> None:
    """onnxruntime takes no output that is an input; and every shape is that of one sample here."""
    body = marks.model.graph
    for i in reversed([i for i, v in enumerate(body.outputs) if v.name in feeds]):
        del body.outputs[i]
    for node in body:
        for value in node.outputs:
            value.shape = None
    for value in body.inputs:
        value.shape = ir.Shape(shape_of(value))


def _mark(node: ir.Node, gone: Array | None) -> Array:
    """1 at each removed row of a layer's output; a result that is no layer's has lost nothing."""
    mark = np.zeros(shape_of(node.outputs[0]), np.float32)
    if gone is not None and len(gone):
        np.moveaxis(mark, -1 if node.op_type == "MatMul" else 1, 0)[gone] = 1
    return mark


def _agree(graph: str, a: str, b: str, x: Array, y: Array) -> None:
    if not np.array_equal(x, y):
        raise ParityError(
            f"{graph}: {a} and {b} meet, but lost different channels", hint="this is a fault of mexport: please report the model"
        )


def _flat(mark: Array, axis: int = 1) -> Array:
    """Whether each channel is marked, anywhere on the map; bool (channels,)."""
    return np.asarray(np.moveaxis(mark, axis, 0).reshape(mark.shape[axis], -1).max(1) > 0)


def _is_layer(node: ir.Node) -> bool:
    return node.op_type in _LAYERS and len(node.inputs) > 1 and const(node.inputs[1]) is not None and const(node.inputs[0]) is None


def _reads_one(node: ir.Node) -> bool:
    """Whether a convolution is depthwise: its own rows are gone with what it reads."""
    if node.op_type not in ("Conv", "ConvTranspose") or node.inputs[0] is None:
        return False
    return bool(attr(node, "group", 1) == shape_of(node.inputs[0])[1] > 1)


def _without(node: ir.Node, weight: Array, gone: Array) -> Array:
    """The weight with zeros where gone channels are read."""
    if node.op_type == "ConvTranspose":
        weight[gone] = 0
    elif node.op_type == "Conv":
        groups = attr(node, "group", 1)
        rows, columns = len(weight) // groups, weight.shape[1]
        for g in range(groups):
            weight[g * rows : (g + 1) * rows, gone[g * columns : (g + 1) * columns]] = 0
    elif node.op_type == "Gemm" and attr(node, "transB", 0):
        weight[:, gone] = 0
    else:
        weight[gone] = 0
    return weight
