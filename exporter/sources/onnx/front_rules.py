"""How each operator is rewritten when the batch comes to the front of what it takes and gives: see `front.py`."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from exporter.graph import attr
from exporter.sources.onnx.batch import ELEMENTWISE
from exporter.sources.onnx.front import Dims, Front, Place, front, moved_axis

Rule = Callable[[Front, ir.Node], None]


def broadcast(f: Front, node: ir.Node) -> None:
    """All inputs against each other from the right: the batch stays where they all have 1, or is an axis more."""
    align(f, node, range(len(node.inputs)), len(f.shape(node.outputs[0])))


def align(f: Front, node: ir.Node, indices: Sequence[int], rank: int, last: int = 0) -> None:
    """Give inputs, and the output, of `rank` axes one place for the batch, which is none of the `last` axes."""
    shapes = {i: f.shape(node.inputs[i]) for i in indices if node.inputs[i] is not None}
    wide = {i: (1,) * (rank - len(s)) + s for i, s in shapes.items()}
    computed = [i for i in f.computed(node) if i in shapes]
    places = [p + rank - len(shapes[i]) for i in computed if (p := f.of(node, i)) is not None]
    free = [p for p in places if p < rank - last and all(w[p] == 1 for w in wide.values())]
    place = free[0] if free else None
    for i, shape in shapes.items():
        lead = rank - len(shape)
        own = None if place is None or place < lead else place - lead
        if i in computed:
            f.move(node, i, own, lead - (place is not None and place < lead))
        elif own is not None:
            array = f.constant(node, i)
            if array is not None and own > 0:
                f.set_constant(node, i, f"row{i}", np.squeeze(array, own))
    f.put(node, place)


def same(f: Front, node: ir.Node) -> None:
    """Element by element on one input."""
    f.put(node, f.of(node))


def pictures(f: Front, node: ir.Node) -> None:
    """Takes the batch on axis 0 only."""
    shape = f.shape(node.inputs[0])
    if shape[0] != 1:
        raise ValueError(f"it runs on {shape[0]} pictures for each sample")
    f.move(node, 0, 0)
    f.put(node, 0)


def transpose(f: Front, node: ir.Node) -> None:
    """The axes turn as before, behind the batch."""
    place, rank = f.of(node), len(f.shape(node.inputs[0]))
    perm = [int(a) for a in attr(node, "perm") or range(rank)[::-1]]
    new = [0, *(moved_axis(a, place) for a in perm if a != place)]
    f.edits.append(lambda: node.attributes.add(ir.AttrInt64s("perm", new)))
    f.put(node, None if place is None else perm.index(place))


def reshape(f: Front, node: ir.Node) -> None:
    """Reshape, Flatten and Squeeze: the batch goes to an axis of size 1 with as many elements before it as before."""
    x, y, place = f.shape(node.inputs[0]), f.shape(node.outputs[0]), f.of(node)
    to_reshape(f, node, front(y, goal := _goal(x, place, y)))
    f.put(node, goal)


def _goal(x: Dims, place: Place, y: Dims) -> Place:
    ones = [i for i, d in enumerate(y) if d == 1]
    if place is not None:
        before = int(np.prod(x[:place], dtype=np.int64))
        ones = [i for i in ones if int(np.prod(y[:i], dtype=np.int64)) == before]
    return place if place in ones else ones[0] if ones else None


def unsqueeze(f: Front, node: ir.Node) -> None:
    """As a Reshape; the batch stays where it is."""
    place, y, given = f.of(node), f.shape(node.outputs[0]), f.constant(node, 1)
    axes = [] if given is None else [int(a) % len(y) for a in given.ravel()]
    kept = [i for i in range(len(y)) if i not in axes]
    goal = None if place is None else kept[place]
    to_reshape(f, node, front(y, goal))
    f.put(node, goal)


def to_reshape(f: Front, node: ir.Node, shape: Dims) -> None:
    """The node becomes a Reshape to a shape with the batch in front."""

    def edit() -> None:
        node.op_type = "Reshape"
        node.attributes.clear()
        node.resize_inputs(2)

    f.edits.append(edit)
    f.set_constant(node, 1, "shape", np.array([0, *shape[1:]], np.int64))


def along(default: int) -> Rule:
    """Along one axis, which stays the same axis."""

    def rule(f: Front, node: ir.Node) -> None:
        axis = attr(node, "axis", default) % len(f.shape(node.inputs[0]))
        place = f.of(node) if f.of(node) != axis else None
        f.move(node, 0, place)
        f.set_axis(node, moved_axis(axis, place))
        f.put(node, place)

    return rule


def layer_norm(f: Front, node: ir.Node) -> None:
    """Over the axes from `axis` on, which the batch must not be among."""
    axis = attr(node, "axis", -1) % len(f.shape(node.inputs[0]))
    place = f.of(node)
    place = place if place is not None and place < axis else None
    f.move(node, 0, place)
    f.set_axis(node, axis if place is not None else axis + 1)
    f.put(node, place)


def reduce(f: Front, node: ir.Node) -> None:
    """Over the same axes; over the batch only where the file is for one sample, for which that says nothing."""
    rank, place = len(f.shape(node.inputs[0])), f.of(node)
    is_arg = node.op_type in ("ArgMax", "ArgMin")
    given = np.array([attr(node, "axis", 0)]) if is_arg else f.constant(node, 1)
    if given is None and attr(node, "noop_with_empty_axes", 0):
        return same(f, node)
    axes = sorted(int(a) % rank for a in (range(rank) if given is None or not given.size else given.ravel()))
    if place in axes:
        if not f.one.fixed:
            raise ValueError("it reduces over the samples of a batch")
        f.move(node, 0, place := None)
    new = [moved_axis(a, place) for a in axes]
    if is_arg:
        f.set_axis(node, new[0])
    else:
        f.set_constant(node, 1, "axes", np.array(new, np.int64))
    kept = attr(node, "keepdims", 1)
    f.put(node, place if place is None or kept else place - sum(a < place for a in axes))
    return None


def concat(f: Front, node: ir.Node) -> None:
    """Along the same axis; constants get the batch's axis too."""
    rank = len(f.shape(node.inputs[0]))
    axis = attr(node, "axis") % rank
    computed = f.computed(node)
    places = [p for i in computed if (p := f.of(node, i)) is not None and p != axis]
    free = [p for p in places if all(f.shape(v)[p] == 1 for v in node.inputs)]
    place = free[0] if free else None
    for i in range(len(node.inputs)):
        array = f.constant(node, i)
        if i in computed:
            f.move(node, i, place)
        elif array is not None:
            f.set_constant(node, i, f"row{i}", array.reshape(front(array.shape, place)))
    f.set_axis(node, moved_axis(axis, place))
    f.put(node, place)


def slice_(f: Front, node: ir.Node) -> None:
    """Along the same axes, which are named."""
    shape, place = f.shape(node.inputs[0]), f.of(node)
    starts, ends, given, steps = (f.constant(node, i) for i in range(1, 5))
    if starts is None or ends is None:
        raise ValueError("its ends depend on the data")
    axes = [int(a) % len(shape) for a in (range(len(starts)) if given is None else given.ravel())]
    if place in axes:
        f.move(node, 0, place := None)
    f.set_constant(node, 1, "starts", starts.astype(np.int64))
    f.set_constant(node, 2, "ends", ends.astype(np.int64))
    f.set_constant(node, 3, "axes", np.array([moved_axis(a, place) for a in axes], np.int64))
    if steps is not None:
        f.set_constant(node, 4, "steps", steps.astype(np.int64))
    f.put(node, place)


def gather(f: Front, node: ir.Node) -> None:
    """Along the same axis."""
    if f.computed(node) != [0]:
        raise ValueError("its indices depend on the data")
    shape, indices = f.shape(node.inputs[0]), f.shape(node.inputs[1])
    axis, place = attr(node, "axis", 0) % len(shape), f.of(node)
    if axis == place:
        f.move(node, 0, place := None)
    f.set_axis(node, moved_axis(axis, place))
    f.put(node, place if place is None or place < axis else place + len(indices) - 1)


def matmul(f: Front, node: ir.Node) -> None:
    """Rows by a matrix, or a product for each of the leading axes."""
    shapes = [f.shape(v) for v in node.inputs]
    if min(map(len, shapes)) < 2:
        raise ValueError("it multiplies by a vector")
    place = f.of(node)
    if f.computed(node) == [0] and len(shapes[1]) == 2 and place != len(shapes[0]) - 1:
        return f.put(node, place)  # rows by one matrix: the batch may be among the rows
    return align(f, node, range(2), max(map(len, shapes)), 2)


def gemm(f: Front, node: ir.Node) -> None:
    """Rows beside the batch: as MatMul and Add."""
    if f.of(node) == 0 and not attr(node, "transA", 0):
        return f.put(node, 0)
    weights, bias = f.constant(node, 1), f.constant(node, 2)
    if attr(node, "transA", 0) or weights is None or f.computed(node) != [0]:
        raise ValueError("it multiplies computed or transposed matrices")
    weights = (weights.T if attr(node, "transB", 0) else weights) * np.float32(attr(node, "alpha", 1.0))
    f.move(node, 0, None)
    bias = None if bias is None else bias * np.float32(attr(node, "beta", 1.0))

    def edit() -> None:
        node.op_type = "MatMul"
        node.attributes.clear()
        node.resize_inputs(2)

    f.edits.append(edit)
    f.set_constant(node, 1, "weights", weights.astype(np.float32))
    if bias is not None:
        f.edits.append(lambda: f.add_behind(node, bias.astype(np.float32)))
    return f.put(node, None)


def expand(f: Front, node: ir.Node) -> None:
    """To the same shape behind the batch."""
    x, y = f.shape(node.inputs[0]), f.shape(node.outputs[0])
    lead, place = len(y) - len(x), f.of(node)
    goal = None if place is None or y[place + lead] != 1 else place + lead
    f.move(node, 0, None if goal is None else place, lead)
    f.set_constant(node, 1, "shape", np.array(front(y, goal), np.int64))
    f.put(node, goal)


def tile(f: Front, node: ir.Node) -> None:
    """As often along each axis."""
    place, repeats = f.of(node), f.constant(node, 1)
    if repeats is None:
        raise ValueError("its repeats depend on the data")
    if place is not None and repeats[place] != 1:
        f.move(node, 0, place := None)
    f.set_constant(node, 1, "repeats", np.array(front(tuple(repeats.tolist()), place), np.int64))
    f.put(node, place)


def pad(f: Front, node: ir.Node) -> None:
    """By as much along each axis; all axes are named."""
    place, pads, axes = f.of(node), f.constant(node, 1), f.constant(node, 3)
    if pads is None:
        raise ValueError("its pads depend on the data")
    rank = len(f.shape(node.inputs[0]))
    whole = np.zeros((2, rank), np.int64)
    whole[:, [int(a) % rank for a in (range(rank) if axes is None else axes.ravel())]] = pads.reshape(2, -1)
    if place is not None and whole[:, place].any():
        f.move(node, 0, place := None)
    kept = whole if place is None else np.delete(whole, place, 1)
    f.set_constant(node, 1, "pads", np.concatenate([np.zeros((2, 1), np.int64), kept], 1).ravel())
    if axes is not None:
        f.edits.append(lambda: node.resize_inputs(3))
    f.put(node, place)


_PICTURES = (
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool", "BatchNormalization",
    "InstanceNormalization", "LRN", "Resize", "DepthToSpace", "SpaceToDepth",
)  # fmt: skip
_SAME = (
    "Relu", "LeakyRelu", "Clip", "Elu", "Selu", "Celu", "Gelu", "HardSwish", "HardSigmoid", "Mish", "Sigmoid", "Tanh", "Softplus",
    "Softsign", "ThresholdedRelu", "Exp", "Log", "Sqrt", "Abs", "Neg", "Erf", "Floor", "Ceil", "Round",
    "Reciprocal", "Sin", "Cos", "Sign", "Not", "IsNaN", "Identity", "Cast", "Dropout",
)  # fmt: skip
_REDUCE = (
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
    "ReduceSumSquare", "ArgMax", "ArgMin",
)  # fmt: skip

RULES: dict[str, Rule] = {
    **dict.fromkeys(_PICTURES, pictures), **dict.fromkeys(_SAME, same), **dict.fromkeys(_REDUCE, reduce),
    **dict.fromkeys((*ELEMENTWISE, "Mod", "Sum", "Mean", "LessOrEqual", "GreaterOrEqual"), broadcast),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization"), along(-1)),
    "Split": along(0), "LayerNormalization": layer_norm, "Transpose": transpose, "Reshape": reshape, "Flatten": reshape, "Squeeze": reshape,
    "Unsqueeze": unsqueeze, "Concat": concat, "Slice": slice_, "Gather": gather, "MatMul": matmul, "Gemm": gemm, "Expand": expand,
    "Tile": tile, "Pad": pad,
}  # fmt: skip
