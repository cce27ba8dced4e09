"""Operators on integers, each as its float operator between DequantizeLinear and QuantizeLinear.

Source: https://onnx.ai/onnx/operators/onnx__QLinearConv.html and onnxruntime, docs/ContribOperators.md.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.errors import SourceError
from exporter.graph import attr, const
from exporter.graph.qdq import Affine


class Builder:
    """Nodes in the place of one node, in front of it.

    Attributes:
        stored: The integers that took the node's place, once `finish` was called.
        how: What they stand for.
    """

    stored: ir.Value
    how: Affine

    def __init__(self, graph: ir.Graph, old: ir.Node) -> None:
        self.graph, self.old = graph, old
        self.base = f"{old.name or ''}{old.outputs[0].name}"

    def node(self, op: str, inputs: Sequence[ir.Value | None], role: str, **attrs: Any) -> ir.Value:
        """A new node before the old one."""
        node = ir.node(op, inputs, attrs, name=f"{self.base}/{role}")
        node.outputs[0].name = node.name
        self.graph.insert_before(self.old, node)
        return node.outputs[0]

    def constant(self, role: str, array: Array) -> ir.Value:
        """A new initializer."""
        name, i = f"{self.base}/{role}", 2
        while name in self.graph.initializers:
            name, i = f"{self.base}/{role}_{i}", i + 1
        tensor = ir.Tensor(np.asarray(array), name=name)
        value = ir.Value(name=name, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.graph.register_initializer(value)
        return value

    def affine(self, scale: int, axis: int | None = None) -> Affine:
        """From the old node's inputs `scale` and `scale + 1`.

        Raises:
            SourceError: If they are computed.
        """
        s = const(self.old.inputs[scale])
        left_out = len(self.old.inputs) <= scale + 1 or self.old.inputs[scale + 1] is None
        z = np.zeros((), np.uint8) if left_out else const(self.old.inputs[scale + 1])
        if s is None or z is None:
            raise SourceError(f"{self.base} ({self.old.op_type}) has computed scales", hint="export the float model")
        if s.size == 1:
            return Affine(s.reshape(()).astype(np.float32), z.reshape(-1)[:1].reshape(()))
        return Affine(s.reshape(-1).astype(np.float32), np.broadcast_to(z.reshape(-1), (s.size,)).copy(), axis)

    def dequantize(self, value: ir.Value | None, how: Affine, role: str = "real") -> ir.Value:
        """The reals that integers stand for."""
        assert value is not None
        attrs = {} if how.axis is None else {"axis": how.axis}
        return self.node("DequantizeLinear", [value, *self._parameters(how)], f"{value.name}_{role}", **attrs)

    def finish(self, real: ir.Value, how: Affine) -> None:
        """Round, and hand the integers to the old node's readers."""
        self.stored, self.how = self.node("QuantizeLinear", [real, *self._parameters(how)], "stored"), how
        self.stored.type = ir.TensorType(ir.DataType.from_numpy(how.zero_point.dtype))
        self.take_over(self.stored)

    def take_over(self, value: ir.Value) -> None:
        """A value in the place of the old node's output; the old node goes."""
        out = self.old.outputs[0]
        for index, port in enumerate(self.graph.outputs):
            if port is out:
                self.graph.outputs[index] = value
        value.shape, name = out.shape, out.name
        out.replace_all_uses_with(value)
        self.graph.remove(self.old, safe=True)
        value.name = name

    def quantize_after(self, out: ir.Value, how: Affine) -> ir.Value:
        """Round an output of the old node, which stays; its readers get the integers."""
        node = ir.node("QuantizeLinear", [None, *self._parameters(how)], name=f"{out.name}/stored")
        stored = node.outputs[0]
        stored.name, stored.shape, stored.type = node.name, out.shape, ir.TensorType(ir.DataType.from_numpy(how.zero_point.dtype))
        out.replace_all_uses_with(stored)
        out.type = ir.TensorType(ir.DataType.FLOAT)
        node.replace_input_with(0, out)
        self.graph.insert_after(self.old, node)
        return stored

    def _parameters(self, how: Affine) -> list[ir.Value]:
        return [self.constant("scale", how.scale), self.constant("zero", how.zero_point)]

    def attributes(self, *names: str) -> dict[str, Any]:
        """Those of the old node's attributes that it has."""
        return {n: attr(self.old, n) for n in names if n in self.old.attributes}


_POOL = ("kernel_shape", "strides", "pads", "auto_pad", "ceil_mode", "count_include_pad", "dilations")


def _conv(b: Builder) -> None:
    """QLinearConv: x, s, z, w, s, z, s, z, bias in int32 with s_x * s_w."""
    n = b.old.inputs
    x, w = b.affine(1), b.affine(4, axis=0)
    inputs = [b.dequantize(n[0], x), b.dequantize(n[3], w, "weight")]
    if len(n) > 8 and n[8] is not None:
        scale = (x.scale * w.scale).astype(np.float32)
        inputs.append(b.dequantize(n[8], Affine(scale, np.zeros(scale.shape, np.int32), None if scale.ndim == 0 else 0), "bias"))
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    b.finish(b.node("Conv", inputs, "real", **b.attributes(*names)), b.affine(6))


def _matmul(b: Builder) -> None:
    """QLinearMatMul: a, s, z, b, s, z, s, z."""
    n = b.old.inputs
    rank = len(n[3].shape or ()) if n[3] is not None else 0
    b.finish(b.node("MatMul", [b.dequantize(n[0], b.affine(1)), b.dequantize(n[3], b.affine(4, rank - 1), "b")], "real"), b.affine(6))


def _gemm(b: Builder) -> None:
    """QGemm: a, s, z, b, s, z, c in int32 with s_a * s_b, s, z; float out where the last two are left out."""
    n = b.old.inputs
    x, w = b.affine(1), b.affine(4, axis=0 if attr(b.old, "transB", 0) else 1)
    inputs: list[ir.Value | None] = [b.dequantize(n[0], x), b.dequantize(n[3], w, "b")]
    if len(n) > 6 and n[6] is not None:
        scale = (x.scale * w.scale * np.float32(attr(b.old, "alpha", 1.0))).astype(np.float32)
        axis = None if scale.ndim == 0 else len(n[6].shape or ()) - 1
        inputs.append(b.dequantize(n[6], Affine(scale, np.zeros(scale.shape, np.int32), axis), "c"))
    real = b.node("Gemm", inputs, "real", **b.attributes("alpha", "transA", "transB"))
    if len(n) > 7 and n[7] is not None:
        b.finish(real, b.affine(7))
    else:
        b.take_over(real)


def _binary(op: str) -> Callable[[Builder], None]:
    def build(b: Builder) -> None:
        n = b.old.inputs
        b.finish(b.node(op, [b.dequantize(n[0], b.affine(1)), b.dequantize(n[3], b.affine(4), "b")], "real"), b.affine(6))

    return build


def _unary(op: str, names: tuple[str, ...], fixed: Mapping[str, Any] | None = None) -> Callable[[Builder], None]:
    def build(b: Builder) -> None:
        if attr(b.old, "channels_last", 0):
            raise SourceError(f"{b.base} ({b.old.op_type}) is in an optimised layout", hint="give the file before onnxruntime optimised it")
        real = b.node(op, [b.dequantize(b.old.inputs[0], b.affine(1))], "real", **b.attributes(*names), **(fixed or {}))
        b.finish(real, b.affine(3))

    return build


def _concat(b: Builder) -> None:
    """QLinearConcat: s, z, then x, s, z of each."""
    n = b.old.inputs
    parts = [b.dequantize(n[i], b.affine(i + 1), f"part{i}") for i in range(2, len(n), 3)]
    b.finish(b.node("Concat", parts, "real", **b.attributes("axis")), b.affine(0))


OPERATORS: dict[str, Callable[[Builder], None]] = {
    "QLinearConv": _conv, "QLinearMatMul": _matmul, "QGemm": _gemm, "QLinearAdd": _binary("Add"), "QLinearMul": _binary("Mul"),
    "QLinearGlobalAveragePool": _unary("GlobalAveragePool", ()), "QLinearAveragePool": _unary("AveragePool", _POOL),
    "QLinearSigmoid": _unary("Sigmoid", ()), "QLinearLeakyRelu": _unary("LeakyRelu", ("alpha",)),
    "QLinearSoftmax": _unary("Softmax", ("axis",)), "QLinearConcat": _concat,
}  # fmt: skip
"""Operator to what builds its float form."""
