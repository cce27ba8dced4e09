"""Writes graphs as torch.onnx.export does: shapes as constants where the batch is fixed; as Shape, Gather, Mul, Concat where it is free."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from exporter.array import Array

Dim = int | tuple[str, int]
"""An axis of a view: a number; ("N", k): k times the batch; ("B", k): as long as axis 0 of what is viewed, which is k for one sample."""

N: Dim = ("N", 1)


class Tracer:
    """One graph in the making; the batch is 1, or free.

    Attributes:
        free: Whether the batch is a dynamic axis.
    """

    def __init__(self, *, free: bool, seed: int = 0) -> None:
        self.free = free
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.rng = np.random.default_rng(seed)
        self.inputs: list[Any] = []

    def input(self, name: str, *shape: int) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch" if self.free else 1, *shape]))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attrs: Any) -> Any:
        names = [f"/{kind}_{len(self.nodes)}_output_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attrs))
        return names[0] if outputs == 1 else names

    def const(self, value: Any) -> str:
        name = f"onnx::c_{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def weight(self, *shape: int) -> str:
        return self.const((self.rng.standard_normal(shape) * 0.2).astype(np.float32))

    def ints(self, *numbers: int) -> str:
        return self.const(np.array(numbers, np.int64))

    def batch(self, x: str, axis: int, times: int = 1) -> str:
        """The number x.shape[axis] * times as torch traces it, as one element."""
        size = self.op("Gather", self.op("Shape", x), self.const(np.int64(axis)), axis=0)
        if times != 1:
            size = self.op("Mul", size, self.const(np.int64(times)))
            size = self.op("Cast", self.op("Cast", size, to=TensorProto.INT64), to=TensorProto.INT64)
        return str(self.op("Unsqueeze", size, self.ints(0)))

    def view(self, x: str, *dims: Dim, of: tuple[str, int] | None = None) -> str:
        """`x.view(dims)`; `of`: the tensor and axis that the batch is read from, if not x's axis 0."""
        source, axis = of or (x, 0)
        if not self.free:
            return str(self.op("Reshape", x, self.ints(*(d if isinstance(d, int) else d[1] for d in dims))))
        parts = []
        for d in dims:
            own = (x, 0, 1) if not isinstance(d, int) and d[0] == "B" else (source, axis, 1 if isinstance(d, int) else d[1])
            parts.append(self.ints(d) if isinstance(d, int) else self.batch(*own))
        return str(self.op("Reshape", x, self.op("Concat", *parts, axis=0)))

    def permute(self, x: str, *perm: int) -> str:
        return str(self.op("Transpose", x, perm=perm))

    def linear(self, x: str, width: int, out: int) -> str:
        return str(self.op("Add", self.weight(out), self.op("MatMul", x, self.weight(width, out))))

    def conv(self, x: str, c: int, out: int, k: int = 1, **attrs: Any) -> str:
        return str(self.op("Conv", x, self.weight(out, c, k, k), self.weight(out), kernel_shape=[k, k], **attrs))

    def norm(self, x: str, width: int) -> str:
        return str(self.op("LayerNormalization", x, self.weight(width), self.weight(width), axis=-1, epsilon=1e-5))

    def at(self, x: str, index: int, axis: int = 0) -> str:
        return str(self.op("Gather", x, self.const(np.int64(index)), axis=axis))

    def slice(self, x: str, axis: int, start: int, end: int, step: int = 1) -> str:
        return str(self.op("Slice", x, self.ints(start), self.ints(end), self.ints(axis), self.ints(step)))

    def model(self, *outputs: str) -> onnx.ModelProto:
        """Outputs get no shape in the file, as torch leaves them where it doesn't know."""
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        weights = [numpy_helper.from_array(a, name) for name, a in self.constants.items()]
        graph = helper.make_graph(self.nodes, "main_graph", self.inputs, ends, weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="pytorch")
