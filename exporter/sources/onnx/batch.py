"""Makes a graph independent of its batch size.

Every value is known for two batch sizes (`facts.py`): the file's own and its double. Where an axis differs, it follows the batch.
A Reshape to a constant shape that names the batch, or whose shape is computed from it, gets 0 or -1 in that place; so do the
other operators that take shapes. PyTorch's merging of the batch into channels (`x.view(batch * groups, ...)`) is followed too:
row-major order leaves one place only where the batch can go.
"""

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import attr
from exporter.sources.onnx.batch_concat import join_by_pad
from exporter.sources.onnx.facts import Fact, Facts
from exporter.sources.onnx.fold import reshape_dims
from exporter.sources.onnx.upgrade import constant, set_input

Dims = tuple[int, ...]
OPEN_END = np.iinfo(np.int64).max


def free_batch(node: ir.Node, one: Facts, two: Facts) -> None:
    """Visit a node for the double batch size, after rewriting what in it is bound to one batch size.

    Args:
        node: Visited in `one` already.
        one: Facts for the file's own batch size.
        two: Facts for its double; gets those of the node's outputs.

    Raises:
        ValueError: If the node computes with the batch size in a way that cannot be rewritten.
    """
    inputs = [two.of(v) for v in node.inputs]
    if all(f is None or f.value is not None for f in inputs) and node.inputs:
        _constant(node, one, two)
        return
    if one.moved:
        one.visit(node)
    joined = join_by_pad(node, one, two)
    if joined is not None:
        for new in joined:
            one.visit(new)
        return
    rule = RULES.get(node.op_type) if not node.domain else None
    if rule is not None and one.shape(node.inputs[0]) and one.shape(node.outputs[0]) is not None:
        rule(node, one, two)
    _no_varying_constant(node, one, two)
    two.visit(node)


def _constant(node: ir.Node, one: Facts, two: Facts) -> None:
    """A node on constants: the same result where its inputs are the same."""
    if all(_same(one.of(v), two.of(v)) for v in node.inputs if v is not None):
        two.known.update({v: one.known[v] for v in node.outputs if v in one.known})
    else:
        two.visit(node)


def _same(a: Fact | None, b: Fact | None) -> bool:
    if a is None or b is None or a.value is None or b.value is None:
        return False
    fractions = a.value.dtype.kind == "f"
    return a.value is b.value or (a.value.shape == b.value.shape and bool(np.array_equal(a.value, b.value, equal_nan=fractions)))


ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Min", "Max", "Pow", "Where", "PRelu", "And", "Or", "Equal", "Less", "Greater"}


def _no_varying_constant(node: ir.Node, one: Facts, two: Facts) -> None:
    """A constant that grows with the batch by equal rows becomes one row, where operators broadcast."""
    for index, value in enumerate(node.inputs):
        a, b = one.of(value), two.of(value)
        if a is None or b is None or a.value is None or b.value is None or _same(a, b):
            continue
        grown = b.value.ndim == a.value.ndim > 0 and b.value.shape[0] == 2 * a.value.shape[0] and a.value.shape[1:] == b.value.shape[1:]
        if not (grown and node.op_type in ELEMENTWISE and np.array_equal(b.value, np.broadcast_to(b.value[:1], b.value.shape))):
            raise ValueError(f"its input {index} ({value.name if value else ''}) depends on the batch size")
        row = constant(node, f"row{index}", b.value[:1])
        node.replace_input_with(index, row)


def _batch_axis(a: Sequence[int], b: Sequence[int]) -> int | None:
    """The axis that differs between the two batch sizes."""
    differing = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    return differing[0] if differing else None


def _reshape(node: ir.Node, one: Facts, two: Facts) -> None:
    x1, x2, y1 = one.shape(node.inputs[0]), two.shape(node.inputs[0]), one.shape(node.outputs[0])
    target1, target2 = one.constant(node, 1), two.constant(node, 1)
    if x1 is None or x2 is None or y1 is None or target1 is None or target2 is None:
        raise ValueError("its target shape depends on the input's values")
    axis = _batch_axis(x1, x2)
    if axis is None and np.array_equal(target1, target2):
        return
    keep_zero = bool(attr(node, "allowzero", 0))
    if not np.array_equal(target1, target2):
        y2 = reshape_dims(x2, target2.tolist(), allowzero=keep_zero)
    else:
        y2 = _follow(x1, x2, y1, target1.tolist(), one.batch)
    differing = [i for i, (a, b) in enumerate(zip(y1, y2, strict=True)) if a != b]
    if len(differing) != 1:
        raise ValueError(f"it turns {list(x1)} into {list(y1)}, where the batch has no axis of its own")
    dims = list(y1)
    i = differing[0]
    dims[i] = 0 if i < len(x1) and (x1[i], x2[i]) == (y1[i], y2[i]) else -1
    node.attributes.pop("allowzero", None)
    _set(node, 1, "shape", dims, target1)


def _follow(x1: Dims, x2: Dims, y1: Dims, target: list[int], batch: int) -> Dims:
    """Where the batch goes in a Reshape to a constant shape: as many elements must lie before it as before."""
    axis = _batch_axis(x1, x2)
    assert axis is not None
    before = int(np.prod(x1[:axis], dtype=np.int64))
    places = [i for i, d in enumerate(y1) if d % batch == 0 and int(np.prod(y1[:i], dtype=np.int64)) == before]
    if not places:
        raise ValueError(f"it turns {list(x1)} into {list(y1)}, which mixes the batch with other axes")
    own = [i for i in places if y1[i] == batch]
    best = own[0] if own else places[0]
    if axis in own:  # where ones stand beside a batch of one, it stays where it was
        best = axis
    elif len(own) > 1:
        best = next((i for i in own if target[i] == -1), best)
    return tuple(2 * d if i == best else d for i, d in enumerate(y1))


def _expand(node: ir.Node, one: Facts, two: Facts) -> None:
    x1, x2, y1 = one.shape(node.inputs[0]), two.shape(node.inputs[0]), one.shape(node.outputs[0])
    target1, target2 = one.constant(node, 1), two.constant(node, 1)
    if x1 is None or x2 is None or y1 is None or target1 is None or target2 is None:
        raise ValueError("its target shape depends on the input's values")
    dims, lead = list(y1), len(y1) - len(x1)
    axis = _batch_axis(x1, x2)
    if axis is not None:
        dims[lead + axis] = 1
    wide = [i for i, (a, b) in enumerate(zip(target1.tolist(), target2.tolist(), strict=True)) if a != b]
    if any(i + len(y1) - len(target1) != (None if axis is None else lead + axis) for i in wide):
        raise ValueError("it repeats a value that is the same for every sample once a sample")
    if axis is not None:
        _set(node, 1, "shape", dims, target1)


def _slice(node: ir.Node, one: Facts, two: Facts) -> None:
    x1, x2 = one.shape(node.inputs[0]), two.shape(node.inputs[0])
    starts, ends = one.constant(node, 1), one.constant(node, 2)
    if x1 is None or x2 is None or starts is None or ends is None:
        return
    axis = _batch_axis(x1, x2)
    given = one.constant(node, 3)
    axes = [int(a) % len(x1) for a in (given if given is not None else range(len(starts)))]
    steps = one.constant(node, 4)
    new = ends.astype(np.int64)
    for i, a in enumerate(axes):
        whole = a == axis and starts[i] == 0 and ends[i] >= x1[a] and (steps is None or steps[i] == 1)
        new[i] = OPEN_END if whole else ends[i]
    if not np.array_equal(new, ends):
        for index, role, old in ((1, "starts", starts), (2, "ends", new), (3, "axes", given), (4, "steps", steps)):
            if old is not None:
                set_input(node, index, constant(node, role, old.astype(np.int64)))


def _resize(node: ir.Node, one: Facts, two: Facts) -> None:
    """Sizes become scales where these give the same sizes, else sizes of the other axes alone."""
    x, y = one.shape(node.inputs[0]), one.shape(node.outputs[0])
    if (
        len(node.inputs) < 4
        or node.inputs[3] is None
        or x is None
        or y is None
        or attr(node, "coordinate_transformation_mode") == "tf_crop_and_resize"
    ):
        return
    scales = np.array([b / a for a, b in zip(x, y, strict=True)], np.float32)
    x2 = two.shape(node.inputs[0]) or x
    axis = _batch_axis(x, x2)
    node.attributes.pop("axes", None)
    node.attributes.pop("keep_aspect_ratio_policy", None)
    if all(int(a * float(s)) == b for a, s, b in zip(x, scales, y, strict=True)):  # 3 * 2.3333333 is 7 in float32, 6 in float64
        set_input(node, 2, constant(node, "scales", scales))
        node.resize_inputs(3)
        return
    axes = [i for i in range(len(x)) if i != axis]
    node.attributes["axes"] = ir.AttrInt64s("axes", axes)
    set_input(node, 3, constant(node, "sizes", np.array([y[i] for i in axes])))


def _squeeze(node: ir.Node, one: Facts, two: Facts) -> None:
    """The batch axis stays, also where a file made for one sample drops it; all axes are named."""
    x1, x2 = one.shape(node.inputs[0]), two.shape(node.inputs[0])
    if x1 is None or x2 is None:
        return
    given = one.constant(node, 1)
    axes = [i for i, d in enumerate(x1) if d == 1] if given is None else [int(a) % len(x1) for a in given]
    batch = _batch_axis(x1, x2)
    kept = [a for a in axes if a != batch]
    if kept != axes or given is None:
        set_input(node, 1, constant(node, "axes", np.array(kept, np.int64)))
        _moved(node, one)


def _gather(node: ir.Node, one: Facts, two: Facts) -> None:
    """`x[0]` of a file made for one sample takes that sample: the batch axis stays."""
    x1, x2 = one.shape(node.inputs[0]), two.shape(node.inputs[0])
    index = one.constant(node, 1)
    if x1 is None or x2 is None or index is None or index.ndim or index.item() not in (0, -1):
        return
    axis = attr(node, "axis", 0) % len(x1)
    if axis == _batch_axis(x1, x2) and x1[axis] == 1 and one.fixed:
        set_input(node, 1, constant(node, "axes", np.array([], np.int64)))
        node.op_type = "Squeeze"
        node.attributes.pop("axis", None)
        _moved(node, one)


def _moved(node: ir.Node, one: Facts) -> None:
    """The node's output has another rank now: what follows is to be learnt anew."""
    one.moved = True
    one.visit(node)


def _set(node: ir.Node, index: int, role: str, numbers: Sequence[int], old: Array) -> None:
    """Give the node a constant of its own, unless it has it already as one the batch cannot change."""
    value = node.inputs[index]
    if value is not None and value.const_value is not None and old.tolist() == list(numbers):
        return
    set_input(node, index, constant(node, role, np.array(numbers, np.int64)))


RULES: dict[str, Callable[[ir.Node, Facts, Facts], None]] = {
    "Reshape": _reshape, "Expand": _expand, "Slice": _slice, "Resize": _resize, "Squeeze": _squeeze, "Gather": _gather,
}  # fmt: skip
"""Operators that take shapes, ends or indices which may name the batch."""
