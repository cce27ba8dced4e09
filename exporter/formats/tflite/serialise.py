"""The op list as a flatbuffer: big weights go from where they lie straight into the file, never into memory as a whole."""

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from exporter.array import Array
from exporter.errors import UnsupportedOpError
from exporter.formats.tflite.ops import TfModel, TfOp, TfTensor
from exporter.formats.tflite.versions import version_of
from exporter.graph.qdq import Affine

ALIGNMENT = 16
"""Bytes; engines map weights into memory and read them by vector instructions."""

_LIMIT = 2**31 - 2**20
_SMALL = 1 << 16
_PART = 1 << 22
_TYPES = {"bool": 6, "float16": 1, "float32": 0, "int32": 2, "int8": 9, "uint8": 3}
_INT4 = 17
_OPTIONS = {
    "CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D", "MAX_POOL_2D": "Pool2D", "AVERAGE_POOL_2D": "Pool2D",
    "CONCATENATION": "Concatenation", "MEAN": "Reducer", "SUM": "Reducer", "REDUCE_MAX": "Reducer", "REDUCE_MIN": "Reducer",
    "REDUCE_PROD": "Reducer", "MAXIMUM": "MaximumMinimum", "MINIMUM": "MaximumMinimum", "PADV2": "PadV2", "SPLIT": "Split",
    "BATCH_MATMUL": "BatchMatMul",
}  # fmt: skip
"""Names of options tables that do not follow from the op's name."""

_ENUMS = {"padding": schema.Padding, "fusedActivationFunction": schema.ActivationFunctionType, "mode": schema.MirrorPadMode}


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """Bytes that take memory only where something is written; the places of weights are left empty.

    Attributes:
        gaps: Each weights' distance from the end of the file, and what belongs there.
    """

    def __init__(self, size: int) -> None:
        super().__init__(0)
        self.Bytes, self.head = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), size
        self.gaps: list[tuple[int, Array]] = []

    def pieces(self) -> Iterator[memoryview]:
        """The file's bytes from its beginning, weights in parts of some MB."""
        view, at = memoryview(self.Bytes), self.head
        for distance, content in sorted(self.gaps, key=lambda gap: -gap[0]):
            start = len(view) - distance
            yield view[at:start]
            yield from (part.data for part in _in_order(content))
            at = start + content.nbytes
        yield view[at:]


def _in_order(content: Array) -> Iterator[Array]:
    """An array part by part along its first axis, each with its elements in order."""
    if content.flags.c_contiguous:
        yield content
        return
    rows = max(1, _PART * len(content) // content.nbytes)
    for start in range(0, len(content), rows):
        yield np.ascontiguousarray(content[start : start + rows])


class _Buffer(schema.BufferT):  # type: ignore[misc]
    """A buffer whose bytes are left out, aligned, until the file is written."""

    def __init__(self, content: Array) -> None:
        super().__init__()
        self.content = content

    def Pack(self, builder: _Builder) -> int:  # noqa: N802 - the generated name
        """Called by the generated code that writes the model."""
        size = self.content.nbytes
        builder.StartVector(1, size, ALIGNMENT)
        builder.head -= size
        if size:
            builder.gaps.append((builder.Offset(), self.content))
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))


def serialise(model: TfModel, path: Path) -> None:
    """Write the model's file.

    Raises:
        UnsupportedOpError: If it would be larger than the 2 GiB that a flatbuffer holds.
    """
    table = _Tables()
    builder = table.build(model)
    with path.open("wb") as file:
        for piece in builder.pieces():
            file.write(piece)


def pack_int4(data: Array) -> Array:
    """Two numbers from -8 to 7 a byte, the first in the low half."""
    flat = np.ascontiguousarray(data).reshape(-1)
    both = np.append(flat, np.zeros(flat.size % 2, np.int8)).astype(np.uint8) & 0x0F
    packed: Array = both[::2] | (both[1::2] << 4)
    return packed


def _quantization(how: Affine) -> Any:
    table = schema.QuantizationParametersT()
    table.scale, table.zeroPoint = how.scale.reshape(-1).astype(np.float32), how.zero_point.reshape(-1).astype(np.int64)
    table.quantizedDimension = 0 if how.axis is None else how.axis
    return table


class _Tables:
    """Collects the file's tables; equal constants share a buffer."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]
        self.index: dict[TfTensor, int] = {}
        self.shared: dict[tuple[Any, ...], int] = {}
        self.codes: dict[tuple[str, int], int] = {}
        self.bytes = 0

    def build(self, model: TfModel) -> _Builder:
        """The finished flatbuffer."""
        graph = schema.SubGraphT()
        graph.name = b"main"
        graph.inputs = np.array([self.tensor(t) for t in model.inputs], np.int32)
        graph.operators = [self.operator(op) for op in model.ops]
        graph.outputs = np.array([self.tensor(t) for t in model.outputs], np.int32)
        graph.tensors = self.tensors
        root = schema.ModelT()
        root.version, root.description = 3, b"mexport"
        root.operatorCodes, root.subgraphs, root.buffers = self._operator_codes(), [graph], self.buffers
        root.signatureDefs = [self._signature(model)]
        # room for `metadata.add_metadata`: an empty list, and an empty buffer behind all others
        root.metadata = []
        self.buffers.append(_Buffer(np.zeros(0, np.uint8)))
        room = self.bytes + 1024 * (len(self.tensors) + len(model.ops) + 64)
        if room > _LIMIT:
            got = f"{self.bytes / 2**30:.2f} GiB of weights"
            raise UnsupportedOpError(f"{got}: a TFLite file holds at most 2 GiB", hint="write it as fp16, or compress the model first")
        builder = _Builder(room)
        builder.Finish(root.Pack(builder), b"TFL3")
        return builder

    def tensor(self, t: TfTensor) -> int:
        """The tensor's index, a new one on first sight."""
        if t not in self.index:
            self.index[t] = self._constant(t) if t.data is not None else self._new(t, 0)
        return self.index[t]

    def _new(self, t: TfTensor, buffer: int) -> int:
        table = schema.TensorT()
        table.name, table.shape, table.buffer = t.name.encode(), np.array(t.shape, np.int32), buffer
        table.type = _TYPES[t.dtype.name] if t.bits == 8 else _INT4
        if t.quant is not None:
            table.quantization = _quantization(t.quant)
        self.tensors.append(table)
        return len(self.tensors) - 1

    def _constant(self, t: TfTensor) -> int:
        assert t.data is not None
        data = t.data if t.bits == 8 else pack_int4(t.data)
        if data.nbytes <= _SMALL:
            same: Any = hashlib.blake2b(np.ascontiguousarray(data).tobytes(), digest_size=16).digest()
        else:
            same = (data.__array_interface__["data"][0], data.shape, data.strides)
        numbers = None if t.quant is None else (t.quant.scale.tobytes(), t.quant.zero_point.tobytes(), t.quant.axis)
        key = (data.dtype.str, t.shape, same, numbers)
        if key not in self.shared:
            self.buffers.append(_Buffer(data))
            self.bytes += data.nbytes + 2 * ALIGNMENT
            self.shared[key] = self._new(t, len(self.buffers) - 1)
        return self.shared[key]

    def operator(self, op: TfOp) -> Any:
        """One operator's table."""
        table = schema.OperatorT()
        table.opcodeIndex = self.codes.setdefault((op.kind, version_of(op)), len(self.codes))
        table.inputs = np.array([self.tensor(t) for t in op.inputs], np.int32)
        table.outputs = np.array([self.tensor(t) for t in op.outputs], np.int32)
        name = _OPTIONS.get(op.kind, "".join(part.capitalize() for part in op.kind.split("_"))) + "Options"
        if hasattr(schema, name + "T") and hasattr(schema.BuiltinOptions, name):
            table.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            table.builtinOptions = getattr(schema, name + "T")()
            for key, value in op.options.items():
                if not hasattr(table.builtinOptions, key):
                    raise AttributeError(f"{name} has no {key}")
                setattr(table.builtinOptions, key, getattr(_ENUMS[key], value) if key in _ENUMS else value)
        elif op.options:
            raise AttributeError(f"{op.kind} takes no options, got {sorted(op.options)}")
        return table

    def _operator_codes(self) -> list[Any]:
        found = []
        for kind, version in self.codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.version = getattr(schema.BuiltinOperator, kind), version
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)
            found.append(code)
        return found

    def _signature(self, model: TfModel) -> Any:
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs, signature.outputs = self._names(model.inputs), self._names(model.outputs)
        return signature

    def _names(self, tensors: list[TfTensor]) -> list[Any]:
        found = []
        for t in tensors:
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = t.name.encode(), self.index[t]
            found.append(entry)
        return found
