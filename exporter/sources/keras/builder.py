"""Grows the Graph node by node; every value has its shape from the moment it exists."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike

from exporter.graph import BATCH, OPSET
from exporter.sources.keras.tensor import RefusedError, Tensor

Operand = Tensor | ir.Value | None
"""What a node reads; None for an optional input that is left out."""

KNOWN_DATA_ELEMENTS = 64
"""Constants up to this size are shown to shape inference (pads, shapes, scales)."""


class Builder:
    """Nodes and constants of a Graph in the making.

    Attributes:
        scope: Prefix of new names: the layer being lowered.
        channels_first: True when the model's own layout is channels first.
    """

    def __init__(self, *, channels_first: bool) -> None:
        self.channels_first = channels_first
        self.scope = ""
        self.nodes: list[ir.Node] = []
        self.constants: dict[str, ir.Value] = {}
        self._taken: set[str] = set()
        self._owned: dict[tuple[int, str], ir.Value] = {}

    def name(self, base: str) -> str:
        """A name no other value has, made of `base`: no blanks, `_2`, `_3`, ... appended where it is taken."""
        base = "_".join(base.split()) or "unnamed"
        name, i = base, 2
        while name in self._taken:
            name, i = f"{base}_{i}", i + 1
        self._taken.add(name)
        return name

    def rename(self, value: ir.Value, base: str) -> None:
        """Give a value another free name."""
        value.name = self.name(base)

    def input(self, name: str, shape: Sequence[int]) -> ir.Value:
        """A new graph input: Graph dims without the batch axis."""
        return ir.Value(name=self.name(name), shape=ir.Shape([BATCH, *shape]), type=ir.TensorType(ir.DataType.FLOAT))

    def constant(self, role: str, array: ArrayLike, owner: object = None) -> ir.Value:
        """An initializer; the same owner and role with the same array give the same one (shared layers).

        Args:
            role: Last part of its name, e.g. "kernel".
            array: Stored as float32, or int64 if it holds integers.
            owner: The layer whose weight it is, if any.
        """
        array = np.asarray(array)
        array = np.ascontiguousarray(array, np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32).reshape(array.shape)
        kept = self._owned.get((id(owner), role)) if owner is not None else None
        if kept is not None and kept.const_value is not None and np.array_equal(kept.const_value.numpy(), array):
            return kept
        name = self.name(f"{self.scope}/{role}")
        tensor = ir.tensor(array, name=name)
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.constants[name] = value
        if owner is not None:
            self._owned[id(owner), role] = value
        return value

    def ints(self, role: str, numbers: Sequence[int]) -> ir.Value:
        """An int64 constant of rank 1: a shape, pads, axes."""
        return self.constant(role, np.array(numbers, np.int64))

    def emit(
        self,
        op: str,
        inputs: Sequence[Operand],
        perm: Sequence[int],
        /,
        *,
        outputs: int = 1,
        shape: Sequence[int] | None = None,
        **attrs: Any,
    ) -> tuple[Tensor, ...]:
        """Append a node; all its outputs have `perm`, and the shape that onnx infers, or N and `shape` where that is given.

        Raises:
            RefusedError: If the operator does not take these shapes, or the batch axis would not stay axis 0.
        """
        values = [x.value if isinstance(x, Tensor) else x for x in inputs]
        node = ir.node(op, values, attrs, num_outputs=outputs)
        node.name = self.name(f"{self.scope}/{op}")
        for i, out in enumerate(node.outputs):
            out.name = node.name if i == 0 else self.name(f"{self.scope}/{op}")
        if shape is None:
            _infer(node)
        else:
            node.outputs[0].shape, node.outputs[0].type = ir.Shape([BATCH, *shape]), ir.TensorType(ir.DataType.FLOAT)
        self.nodes.append(node)
        return tuple(Tensor(out, tuple(perm)) for out in node.outputs)

    def one(self, op: str, inputs: Sequence[Operand], perm: Sequence[int], /, **attrs: Any) -> Tensor:
        """`emit` for the usual node with one output."""
        return self.emit(op, inputs, perm, **attrs)[0]

    def map(self, op: str, x: Tensor, *constants: ir.Value | None, **attrs: Any) -> Tensor:
        """An element-wise node of one tensor: layout and packing stay."""
        y = self.one(op, [x, *constants], x.perm, **attrs)
        return Tensor(y.value, y.perm, x.packed)


def _infer(node: ir.Node) -> None:
    """Set shape and type of the node's outputs by onnx's own inference of this one node."""
    from onnx import defs, helper, numpy_helper, shape_inference

    types: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for value in node.inputs:
        if value is None:
            continue
        assert value.shape is not None
        assert value.dtype is not None
        assert value.name is not None
        dims = [d if isinstance(d, int) else BATCH for d in value.shape]
        types[value.name] = helper.make_tensor_type_proto(int(value.dtype), dims)
        if value.const_value is not None and value.const_value.size <= KNOWN_DATA_ELEMENTS:
            data[value.name] = numpy_helper.from_array(value.const_value.numpy())
    opsets = [helper.make_opsetid("", OPSET)]
    schema = defs.get_schema(node.op_type, OPSET, "")
    try:
        found = shape_inference.infer_node_outputs(schema, ir.to_proto(node), types, data, opset_imports=opsets, ir_version=10)
    except shape_inference.InferenceError as problem:
        raise RefusedError(f"{node.op_type} does not take these shapes: {str(problem).splitlines()[0]}") from problem
    for out in node.outputs:
        tensor = found[str(out.name)].tensor_type
        dims = [d.dim_param or d.dim_value for d in tensor.shape.dim]
        if not dims or dims[0] != BATCH or not all(isinstance(d, int) for d in dims[1:]):
            raise RefusedError(f"{node.op_type} gives shape {dims}: axis 0 must stay the batch, all others must be known")
        out.shape = ir.Shape(dims)
        out.type = ir.TensorType(ir.DataType(tensor.elem_type))
