"""Older and newer forms of operators in terms of the Graph's operator set.

Each node is brought up when the walk reaches it, with the shapes that it gets already known: some changes of meaning
(Softmax before opset 13) can only be told with them. Source: https://github.com/onnx/onnx/blob/main/docs/Changelog.md
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import attr
from exporter.sources.onnx.facts import Facts

Change = Callable[[ir.Node, Facts], list[ir.Node] | None]
"""Changes a node in place and returns None, or returns the nodes that replace it, the last one making its output."""

_REDUCTIONS = (
    "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare",
)  # fmt: skip

FROM_ATTRIBUTES: dict[str, tuple[int, tuple[str, ...]]] = {
    "Slice": (10, ("starts", "ends", "axes")), "TopK": (10, ("k",)), "Upsample": (9, ("scales",)), "Clip": (11, ("min", "max")),
    "Pad": (11, ("pads", "value")), "ReduceSum": (13, ("axes",)), "Squeeze": (13, ("axes",)), "Unsqueeze": (13, ("axes",)),
    "Split": (13, ("split",)), **dict.fromkeys(_REDUCTIONS, (18, ("axes",))),
}  # fmt: skip
"""Operators some of whose attributes became inputs, behind the first one: in which operator set, and which."""

DROPPED = {
    "BatchNormalization": ("momentum", "is_test", "consumed_inputs"), "Dropout": ("ratio", "is_test"),
    "Cast": ("saturate", "round_mode"),
}  # fmt: skip
"""Attributes that say nothing at inference."""


def upgrade(node: ir.Node, facts: Facts, opset: int) -> bool:
    """Bring a node of operator set `opset` to the Graph's; True when other nodes took its place, right behind it."""
    node.version = None
    if node.domain or node.meta.get("upgraded"):
        return False
    for name in DROPPED.get(node.op_type, ()):
        node.attributes.pop(name, None)
    since, names = FROM_ATTRIBUTES.get(node.op_type, (0, ()))
    if opset < since:
        _to_inputs(node, names, facts)
    for first, last, change in CHANGES.get(node.op_type, ()):
        if first <= opset <= last:
            new = change(node, facts)
            if new is not None:
                replace_node(node, new)
                return True
    return False


def constant(node: ir.Node, role: str, array: Array) -> ir.Value:
    """A new initializer of the node's graph, named after the node's output."""
    base = f"{node.outputs[0].name}/{role}"
    assert node.graph is not None
    name, i = base, 2
    while name in node.graph.initializers:
        name, i = f"{base}_{i}", i + 1
    tensor = ir.tensor(np.asarray(array), name=name)
    value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    node.graph.initializers[name] = value
    return value


def set_input(node: ir.Node, index: int, value: ir.Value | None) -> None:
    """Set an input that the node may not have yet."""
    if index >= len(node.inputs):
        node.resize_inputs(index + 1)
    node.replace_input_with(index, value)


def _to_inputs(node: ir.Node, names: tuple[str, ...], facts: Facts) -> None:
    for index, name in enumerate(names, 1):
        found = node.attributes.pop(name, None)
        if found is None:
            continue
        if name in ("min", "max", "value"):
            kind = facts.of(node.inputs[0])
            dtype = ir.DataType(kind.dtype).numpy() if kind is not None and kind.dtype else np.dtype(np.float32)
            array = np.array(found.value, dtype)
        elif name == "scales":
            array = np.array(found.value, np.float32)
        else:
            array = np.array(found.value, np.int64).reshape(-1)
        set_input(node, index, constant(node, name, array))


def replace_node(node: ir.Node, new: list[ir.Node]) -> None:
    """Put nodes behind the one that they replace; the last one's first output takes over its name and readers."""
    graph, old = node.graph, node.outputs[0]
    assert graph is not None
    for i, n in enumerate(new):
        n.name = node.name if n is new[-1] else f"{node.name or old.name}/{i}"
        n.outputs[0].name = f"{old.name}/{i}"
        n.meta["upgraded"] = True
    last = new[-1].outputs[0]
    last.shape, last.type = old.shape, old.type
    graph.insert_after(node, new)
    for i, output in enumerate(graph.outputs):
        if output is old:
            graph.outputs[i] = last
    old.replace_all_uses_with(last)
    graph.remove(node, safe=True)
    last.name = old.name


def _softmax(node: ir.Node, facts: Facts) -> list[ir.Node] | None:
    """Before opset 13: over all axes from `axis` (default 1) on, as one."""
    shape = facts.shape(node.inputs[0])
    if shape is None:
        raise ValueError(f"{node.op_type} of an operator set before 13 needs to know its input's shape")
    axis = attr(node, "axis", 1) % max(len(shape), 1)
    node.attributes["axis"] = ir.AttrInt64("axis", axis)
    if all(d == 1 for d in shape[axis + 1 :]):
        return None
    if axis == 0:
        raise ValueError(f"{node.op_type} runs over the batch too")
    lead = [0] * axis
    flat = ir.node("Reshape", [node.inputs[0], constant(node, "flat", np.array([*lead, -1]))])
    soft = ir.node(node.op_type, [flat.outputs[0]], {"axis": axis})
    return [flat, soft, ir.node("Reshape", [soft.outputs[0], constant(node, "shape", np.array([*lead, *shape[axis:]]))])]


def _resize_asymmetric(node: ir.Node, facts: Facts) -> list[ir.Node]:
    """Upsample, and Resize of opset 10: coordinates are divided by the scale, nearest rounds down."""
    mode = str(attr(node, "mode", "nearest"))
    plain: dict[str, str] = {"mode": "linear" if mode == "bilinear" else mode, "coordinate_transformation_mode": "asymmetric"}
    if plain["mode"] == "nearest":
        plain["nearest_mode"] = "floor"
    return [ir.node("Resize", [node.inputs[0], None, node.inputs[1]], plain)]


def _resize(node: ir.Node, facts: Facts) -> None:
    """Empty tensors stood for inputs left out."""
    for index in range(1, len(node.inputs)):
        found = facts.constant(node, index)
        if found is not None and found.size == 0:
            node.replace_input_with(index, None)


def _one_output(node: ir.Node, facts: Facts) -> None:
    """Forget outputs that only training reads."""
    if attr(node, "spatial", 1) == 0:
        raise ValueError("BatchNormalization over single activations (spatial = 0) has no newer form")
    node.attributes.pop("spatial", None)
    if not any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        node.resize_outputs(1)


def _split(node: ir.Node, facts: Facts) -> None:
    """Without sizes: the number of parts must be stated."""
    if (len(node.inputs) < 2 or node.inputs[1] is None) and "num_outputs" not in node.attributes:
        node.attributes["num_outputs"] = ir.AttrInt64("num_outputs", len(node.outputs))


def _grid_sample(node: ir.Node, facts: Facts) -> None:
    mode = str(attr(node, "mode", "bilinear"))
    node.attributes["mode"] = ir.AttrString("mode", {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode))


def _scatter(node: ir.Node, facts: Facts) -> list[ir.Node]:
    return [ir.node("ScatterElements", list(node.inputs), {"axis": attr(node, "axis", 0)})]


def _swish(node: ir.Node, facts: Facts) -> list[ir.Node]:
    """x * Sigmoid(alpha * x)."""
    x, new, alpha = node.inputs[0], [], attr(node, "alpha", 1.0)
    assert x is not None
    inner = x
    if alpha != 1:
        new.append(ir.node("Mul", [x, constant(node, "alpha", np.array(alpha, np.float32))]))
        inner = new[0].outputs[0]
    new.append(ir.node("Sigmoid", [inner]))
    return [*new, ir.node("Mul", [x, new[-1].outputs[0]])]


def _group_norm(node: ir.Node, facts: Facts) -> list[ir.Node]:
    """InstanceNormalization over each group, then the scale and bias of each channel (before opset 21: of each group)."""
    x = node.inputs[0]
    shape, count = facts.shape(x), int(attr(node, "num_groups"))
    arrays = facts.constant(node, 1), facts.constant(node, 2)
    if shape is None or arrays[0] is None or arrays[1] is None:
        raise ValueError("GroupNormalization needs a known input shape and constant scale and bias")
    ones = constant(node, "ones", np.ones(count, np.float32)), constant(node, "zeros", np.zeros(count, np.float32))
    gain, shift = (np.repeat(a, shape[1] // len(a)).reshape(-1, *[1] * (len(shape) - 2)) for a in arrays if a is not None)
    split = ir.node("Reshape", [x, constant(node, "groups", np.array([0, count, -1]))])
    norm = ir.node("InstanceNormalization", [split.outputs[0], *ones], {"epsilon": attr(node, "epsilon", 1e-5)})
    back = ir.node("Reshape", [norm.outputs[0], constant(node, "shape", np.array([0, *shape[1:]]))])
    times = ir.node("Mul", [back.outputs[0], constant(node, "scale", gain)])
    return [split, norm, back, times, ir.node("Add", [times.outputs[0], constant(node, "bias", shift)])]


def _rms_norm(node: ir.Node, facts: Facts) -> list[ir.Node]:
    """x / Sqrt(mean(x²) + epsilon) * scale, the mean over all axes from `axis` on."""
    x, scale = node.inputs[:2]
    shape, axis = facts.shape(x), attr(node, "axis", -1)
    if shape is None:
        raise ValueError("RMSNormalization needs a known input shape")
    axes = np.arange(axis % len(shape), len(shape))
    square = ir.node("Mul", [x, x])
    mean = ir.node("ReduceMean", [square.outputs[0], constant(node, "axes", axes)], {"keepdims": 1})
    shifted = ir.node("Add", [mean.outputs[0], constant(node, "epsilon", np.array(attr(node, "epsilon", 1e-5), np.float32))])
    root = ir.node("Sqrt", [shifted.outputs[0]])
    normal = ir.node("Div", [x, root.outputs[0]])
    return [square, mean, shifted, root, normal, ir.node("Mul", [normal.outputs[0], scale])]


_NEWEST = 999

CHANGES: dict[str, tuple[tuple[int, int, Change], ...]] = {
    "Softmax": ((1, 12, _softmax),), "LogSoftmax": ((1, 12, _softmax),), "Hardmax": ((1, 12, _softmax),),
    "Upsample": ((1, _NEWEST, _resize_asymmetric),), "Resize": ((10, 10, _resize_asymmetric), (11, _NEWEST, _resize)),
    "BatchNormalization": ((1, _NEWEST, _one_output),), "Dropout": ((1, _NEWEST, _one_output),),
    "Split": ((1, 17, _split),), "GridSample": ((16, 19, _grid_sample),), "Scatter": ((9, 10, _scatter),),
    "GroupNormalization": ((18, _NEWEST, _group_norm),), "Swish": ((24, _NEWEST, _swish),), "RMSNormalization": ((23, _NEWEST, _rms_norm),),
}  # fmt: skip
"""Operators whose meaning or form changed: first and last operator set of the old form, and how to change it."""
