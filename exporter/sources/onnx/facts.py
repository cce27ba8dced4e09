"""What is known of each value when the graph runs with one certain batch size: type, shape, and the array where it is constant."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import OPSET, attr
from exporter.sources.onnx.fold import fold

SHOWN = 1024
"""Constants of so many elements are shown to shape inference; weights are not."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of one value.

    Attributes:
        dtype: ONNX element type; 0 when unknown.
        shape: Its axes, None where one is open; None when even the rank is unknown.
        value: The array, when it is the same for every input.
    """

    dtype: int = 0
    shape: tuple[int | None, ...] | None = None
    value: Array | None = None

    @property
    def dims(self) -> tuple[int, ...] | None:
        """The shape when no axis is open."""
        if self.shape is None or None in self.shape:
            return None
        return tuple(d for d in self.shape if d is not None)


def constant_fact(value: Array) -> Fact:
    """All about a constant."""
    return Fact(int(ir.DataType.from_numpy(value.dtype)), value.shape, value)


@dataclass
class Facts:
    """Facts of a whole graph, by value, for one batch size.

    Attributes:
        batch: The batch size.
        fixed: Whether the file itself fixes it.
        problem: The first node, in words, that could not take the shapes it gets.
        moved: Whether a rewriting changed a rank: facts of later nodes are to be found again.
    """

    batch: int
    fixed: bool = False
    moved: bool = False
    problem: str | None = None
    known: dict[ir.Value, Fact] = field(default_factory=dict)

    def of(self, value: ir.Value | None) -> Fact | None:
        """What is known of a value; None for an input left out."""
        if value is None:
            return None
        if value not in self.known and value.const_value is not None:
            self.known[value] = constant_fact(value.const_value.numpy())
        return self.known.get(value) or declared(value, self.batch)

    def constant(self, node: ir.Node, index: int) -> Array | None:
        """The array of the node's input `index`, when it has one and it is constant."""
        fact = self.of(node.inputs[index]) if index < len(node.inputs) else None
        return None if fact is None else fact.value

    def shape(self, value: ir.Value | None) -> tuple[int, ...] | None:
        """The value's whole shape, None when any of it is open."""
        fact = self.of(value)
        return None if fact is None else fact.dims

    def visit(self, node: ir.Node) -> None:
        """Find the facts of the node's outputs from those of its inputs.

        Raises:
            ValueError: If the operator cannot take these shapes.
        """
        inputs = [self.of(v) for v in node.inputs]
        arrays = constants(node, inputs)
        if arrays is not None:
            self.known.update({v: constant_fact(a) for v, a in zip(node.outputs, arrays, strict=False)})
        else:
            self.known.update(zip(node.outputs, infer(node, inputs, self.batch), strict=True))


def declared(value: ir.Value, batch: int) -> Fact:
    """What the file itself says of a value; an open axis 0 is the batch."""
    shape = None
    if value.shape is not None:
        shape = tuple(d if isinstance(d, int) else batch if i == 0 else None for i, d in enumerate(value.shape))
    return Fact(int(value.dtype or 0), shape)


def constants(node: ir.Node, inputs: Sequence[Fact | None]) -> list[Array] | None:
    """The node's outputs when they are the same for every input."""
    if node.op_type == "Constant" and not node.domain:
        return [_constant(node)]
    if node.op_type in ("Shape", "Size") and not node.domain and inputs[0] is not None and inputs[0].dims is not None:
        stand_in: Array = np.broadcast_to(np.zeros((), np.int8), inputs[0].dims)
        return fold(node, [stand_in], OPSET)
    if not node.inputs or any(f is not None and f.value is None for f in inputs):
        return None
    return fold(node, [None if f is None else f.value for f in inputs], OPSET)


def _constant(node: ir.Node) -> Array:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        found = attr(node, name)
        if found is not None:
            dtype = {"value_f": np.float32, "value_i": np.int64}.get(name[:7])
            return np.asarray(found, dtype)
    raise ValueError(f"Constant {node.name} holds no number")


def infer(node: ir.Node, inputs: Sequence[Fact | None], batch: int) -> list[Fact]:
    """Types and shapes of a node's outputs by onnx's own inference of this one node; what the file says where onnx doesn't know it.

    Raises:
        ValueError: If the operator cannot take these shapes.
    """
    from onnx import checker, defs, helper, numpy_helper, shape_inference

    if node.domain not in ("", "ai.onnx") or not defs.has(node.op_type, OPSET, ""):
        found_out = [declared(v, batch) for v in node.outputs]
        return [f if f.dtype else Fact(int(ir.DataType.FLOAT), f.shape) for f in found_out]
    types: dict[str, Any] = {}
    data = {}
    for value, fact in zip(node.inputs, inputs, strict=True):
        if value is None or fact is None:
            continue
        types[value.name or ""] = helper.make_tensor_type_proto(fact.dtype, fact.shape)
        if fact.value is not None and fact.value.size <= SHOWN:
            data[value.name or ""] = numpy_helper.from_array(np.asarray(fact.value))
    opsets = [helper.make_opsetid("", OPSET)]
    try:
        schema = defs.get_schema(node.op_type, OPSET, "")
        found = shape_inference.infer_node_outputs(schema, ir.to_proto(node), types, data, opset_imports=opsets, ir_version=10)
    except (shape_inference.InferenceError, defs.SchemaError, checker.ValidationError) as problem:
        raise ValueError(str(problem).strip().splitlines()[0]) from problem
    return [_told(found[v.name].tensor_type) if v.name in found else declared(v, batch) for v in node.outputs]


def _told(tensor: Any) -> Fact:
    shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim) if tensor.HasField("shape") else None
    return Fact(tensor.elem_type, shape)
