"""An ONNX file read without its big weights: they stay in the file and are mapped, whatever their number.

The file is walked at wire level (protobuf): every big initializer loses its data on the way into the parser.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import SourceError

BIG = 4096
"""Initializers of so many bytes stay in the file."""

_MODEL_GRAPH, _GRAPH_INITIALIZER = 7, 5
_RAW, _FLOATS, _DOUBLES = 9, 4, 10
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def read(path: Path) -> tuple[Any, dict[str, Array]]:
    """An ONNX file as its proto, without the data of big initializers, and their arrays by name, read-only and unread.

    Raises:
        SourceError: If the file is damaged.
    """
    import onnx
    from google.protobuf.message import DecodeError

    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    arrays: dict[str, Array] = {}
    try:
        model = onnx.ModelProto.FromString(_without_weights(data, arrays))
    except (DecodeError, IndexError, ValueError) as problem:
        raise SourceError(
            f"{path.name} is damaged: {str(problem)[:200] or 'not a protobuf message'}",
            hint="fetch it again; compare its size and sha256 with the origin's",
        ) from problem
    if not model.graph.output:
        raise SourceError(f"{path.name} is damaged or unfinished: its graph has no outputs", hint="export it again")
    return model, arrays


def _without_weights(data: mmap.mmap, arrays: dict[str, Array]) -> bytes:
    pieces: list[bytes] = []
    for field, start, body, end in _fields(data, 0, len(data)):
        if field != _MODEL_GRAPH:
            pieces.append(data[start:end])
            continue
        graph = b"".join(_graph_pieces(data, body, end, arrays))
        pieces.append(_header(_MODEL_GRAPH, len(graph)) + graph)
    return b"".join(pieces)


def _graph_pieces(data: mmap.mmap, start: int, end: int, arrays: dict[str, Array]) -> Iterator[bytes]:
    for field, begin, body, stop in _fields(data, start, end):
        stub = _mapped(data, body, stop, arrays) if field == _GRAPH_INITIALIZER and stop - body > BIG else None
        yield data[begin:stop] if stub is None else _header(_GRAPH_INITIALIZER, len(stub)) + stub


def _mapped(data: mmap.mmap, start: int, end: int, arrays: dict[str, Array]) -> bytes | None:
    """The tensor's bytes without its data, its array put into `arrays`; None where it cannot be mapped as it is."""
    import onnx

    kept, found = [], None
    for field, begin, body, stop in _fields(data, start, end):
        if field in (_RAW, _FLOATS, _DOUBLES) and stop - body > BIG // 2 and found is None:
            found = (body, stop)
        else:
            kept.append(data[begin:stop])
    if found is None:
        return None
    stub = b"".join(kept)
    tensor = onnx.TensorProto.FromString(stub)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    count = int(np.prod(tensor.dims, dtype=np.int64))
    if count * dtype.itemsize != found[1] - found[0]:
        raise ValueError(f"weight {tensor.name} of shape {list(tensor.dims)} and type {dtype} has {found[1] - found[0]} bytes")
    arrays[tensor.name] = np.frombuffer(data, dtype, count, found[0]).reshape(tuple(tensor.dims))
    return stub


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the message in data[start:end]: number, where it starts, where its content starts, where it ends."""
    at = start
    while at < end:
        begin = at
        tag, at = _varint(data, at)
        body, kind = at, tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind == _LENGTH:
            length, body = _varint(data, at)
            at = body + length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"no field can start as at byte {begin}")
        if at > end:
            raise ValueError(f"the field at byte {begin} ends behind its message")
        yield tag >> 3, begin, body, at


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7


def _header(field: int, length: int) -> bytes:
    out = bytearray()
    for number in (field << 3 | _LENGTH, length):
        rest = number
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)
