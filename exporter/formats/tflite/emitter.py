"""The state of lowering: ops emitted so far, and where every ONNX value is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.tflite.layout import Flat, collapse, physical, plain, wide
from exporter.formats.tflite.ops import Axes, Origin, TfOp, TfTensor
from exporter.graph import const, shape_of

MAX_TRANSPOSE_RANK = 4
"""Above it a TRANSPOSE is first brought to fewer axes: engines are slow or refuse."""


def origin_of(value: ir.Value | None, axis: int | None = None, index: Array | None = None) -> Origin | None:
    """Where a constant comes from, if it is an initializer."""
    return Origin(str(value.name), axis, index) if value is not None and value.is_initializer() else None


class Refused(Exception):  # noqa: N818 - control flow between an emit function and `lower`, which turns it into a Problem
    """A layer cannot be expressed; the message says why."""


class Emitter:
    """Collects ops; the emit functions of the lower_* modules work through it.

    Args:
        int8: Choose forms that run in int8, by XNNPACK where there is one: engines take fewer ops there.
    """

    def __init__(self, *, int8: bool = False) -> None:
        self.int8 = int8
        self.layer = ""
        self.ops: list[TfOp] = []
        self.held: dict[ir.Value, tuple[TfTensor, Axes]] = {}
        self.flat: dict[ir.Value, Flat] = {}
        self.moved: dict[tuple[TfTensor, Axes, Axes], TfTensor] = {}
        self._count = 0

    # -- tensors and ops
    def constant(self, data: Array, name: str = "const", shape: Sequence[int] | None = None) -> TfTensor:
        """A constant tensor; `shape` where the data is a view that only fills it in C order."""
        self._count += 1
        return TfTensor(f"{name}" if name != "const" else f"const_{self._count}", tuple(data.shape if shape is None else shape), data)

    def ints(self, values: Sequence[int] | int | Array) -> TfTensor:
        """An int32 constant: shapes, axes, pads."""
        return self.constant(np.asarray(values, np.int32))

    def scalar(self, value: float) -> TfTensor:
        """A float32 constant of one element."""
        return self.constant(np.array(value, np.float32))

    def emit(self, kind: str, inputs: Sequence[TfTensor], shape: Sequence[int], **options: Any) -> TfTensor:
        """Emit an op with one output of that shape, which no ONNX value names yet."""
        self._count += 1
        out = TfTensor(f"{kind.lower()}_{self._count}", tuple(int(d) for d in shape))
        self.push(TfOp(kind, list(inputs), [out], options))
        return out

    def push(self, op: TfOp) -> None:
        """Append an op with any number of outputs."""
        for t in op.outputs:
            t.producer = op
        op.layers.append(self.layer)
        self.ops.append(op)

    # -- values
    def bind(self, value: ir.Value, tensor: TfTensor, axes: Axes) -> None:
        """The value is in that tensor; a tensor that held none before is named after it."""
        if not tensor.values and tensor.producer is not None:
            tensor.name = str(value.name)
        tensor.values.append(value)
        self.held[value] = (tensor, axes)

    def take_over(self, value: ir.Value, tensor: TfTensor, axes: Axes) -> None:
        """The tensor's op was changed to give `value`: what it held before is nowhere any more."""
        for old in tensor.values:
            del self.held[old]
        tensor.values = []
        if tensor.producer is not None and self.layer not in tensor.producer.layers:
            tensor.producer.layers.append(self.layer)
        self.bind(value, tensor, axes)

    def where(self, value: ir.Value) -> tuple[TfTensor, Axes]:
        """Where a computed value is, whatever its order; a constant is put in ONNX's order."""
        if value not in self.held:
            return self.get(value, plain(len(shape_of(value)))), plain(len(shape_of(value)))
        if value in self.flat:
            return self.get(value, (0, 1)), (0, 1)
        return self.held[value]

    def get(self, value: ir.Value, wanted: Axes) -> TfTensor:
        """The value's tensor in the order wanted."""
        data = const(value)
        if data is not None:
            kept = data.transpose([a for a in wanted if a >= 0])
            made = self.constant(kept, str(value.name), physical(data.shape, wanted))
            made.origin = origin_of(value)
            return made
        tensor, axes = self.held[value]
        if value in self.flat:
            order = np.argsort(self.flat[value].order())
            tensor = self.emit("GATHER", [tensor, self.ints(order)], tensor.shape, axis=1)
        return self.permute(tensor, shape_of(value), axes, wanted)

    def permute(self, tensor: TfTensor, shape: Sequence[int], axes: Axes, wanted: Axes) -> TfTensor:
        """Bring a tensor that holds a value of `shape` in order `axes` to the order wanted; emits nothing where the bytes agree."""
        key = (tensor, axes, wanted)
        if key not in self.moved:
            have, want = wide(shape, axes), wide(shape, wanted)
            moved = tensor if have == want else self._transpose(tensor, [shape[a] for a in have], [have.index(a) for a in want])
            self.moved[key] = self.reshape(moved, physical(shape, wanted))
        return self.moved[key]

    def _transpose(self, tensor: TfTensor, dims: Sequence[int], perm: Sequence[int]) -> TfTensor:
        """Transpose the wide axes, in as few axes as it takes."""
        if len(tensor.shape) <= MAX_TRANSPOSE_RANK:
            long = [i for i, d in enumerate(tensor.shape) if d != 1]
            units = [i for i, d in enumerate(tensor.shape) if d == 1]
            full = units + [long[p] for p in perm]
            return self.emit("TRANSPOSE", [tensor, self.ints(full)], [tensor.shape[p] for p in full])
        sizes, small = collapse(dims, perm)
        return self.emit("TRANSPOSE", [self.reshape(tensor, sizes), self.ints(small)], [sizes[p] for p in small])

    def reshape(self, tensor: TfTensor, shape: Sequence[int]) -> TfTensor:
        """The same bytes under another shape; reads through a RESHAPE before it."""
        shape = tuple(int(d) for d in shape)
        source = tensor
        while source.shape != shape and source.producer is not None and source.producer.kind == "RESHAPE":
            source = source.producer.inputs[0]
        if shape in {tensor.shape, source.shape}:
            return tensor if tensor.shape == shape else source
        return self.emit("RESHAPE", [source, self.ints(shape)], shape, newShape=list(shape))

    def sole(self, tensor: TfTensor) -> bool:
        """Is the tensor read once and nowhere visible, so that its op may be changed?"""
        return tensor.producer is not None and all(len(v.uses()) == 1 and not v.is_graph_output() for v in tensor.values)
