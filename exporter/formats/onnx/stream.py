"""An ONNX file written tensor by tensor: no second copy of the weights is ever in memory.

A protobuf message is its fields in a row, so the graph's bytes are those of the graph without weights and then one field a weight.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import ml_dtypes
import numpy as np
import onnx

from exporter.array import Array
from exporter.errors import UsageError

LIMIT = (1 << 31) - 1
"""Bytes of the largest protobuf message that readers take."""

_MODEL_GRAPH, _GRAPH_INITIALIZER, _TENSOR_RAW = 7, 5, 9
_CHUNK = 1 << 24


def write_model(model: onnx.ModelProto, weights: Mapping[str, Array], path: Path) -> None:
    """Write a model whose graph has no initializers yet, with these as its initializers, in their order.

    Raises:
        UsageError: If the file would be bigger than 2 GiB.
    """
    graph = model.graph.SerializeToString(deterministic=True)
    shell = onnx.ModelProto()
    shell.CopyFrom(model)
    shell.ClearField("graph")
    heads = [_tensor_head(name, array) for name, array in weights.items()]
    sizes = [len(head) + _length(array) for head, array in zip(heads, weights.values(), strict=True)]
    size = len(graph) + sum(len(_field(_GRAPH_INITIALIZER, n)) + n for n in sizes)
    if size > LIMIT:
        raise UsageError(
            f"{path.name} would be {size / (1 << 30):.2f} GiB; one ONNX file holds at most 2 GiB",
            hint="write it with --precision fp16, or compress the model first",
        )
    with path.open("wb") as file:
        file.write(shell.SerializeToString(deterministic=True) + _field(_MODEL_GRAPH, size) + graph)
        for head, length, array in zip(heads, sizes, weights.values(), strict=True):
            file.write(_field(_GRAPH_INITIALIZER, length) + head)
            _write_raw(file, array)


def _tensor_head(name: str, array: Array) -> bytes:
    """A TensorProto up to its raw data."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    head = onnx.TensorProto(dims=array.shape, data_type=kind, name=name).SerializeToString(deterministic=True)
    return bytes(head) + _field(_TENSOR_RAW, _length(array))


def _length(array: Array) -> int:
    """Bytes in the file; two numbers of 4 bits share one."""
    return (array.size + 1) // 2 if array.dtype == ml_dtypes.int4 else array.nbytes


def _packed(array: Array) -> Array:
    """Numbers of 4 bits in bytes, the first one in the low half."""
    numbers = np.append(array.reshape(-1).astype(np.int8), np.zeros(array.size % 2, np.int8)).view(np.uint8) & 15
    result: Array = numbers[::2] | numbers[1::2] << 4
    return result


def _write_raw(file: BinaryIO, array: Array) -> None:
    """Row-major, little-endian."""
    if array.dtype == ml_dtypes.int4:
        array = _packed(array)
    whole = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
    for start in range(0, whole.size, _CHUNK):
        file.write(whole[start : start + _CHUNK].data)


def _field(number: int, length: int) -> bytes:
    """Tag and length of a length-delimited field."""
    return _varint(number << 3 | 2) + _varint(length)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
