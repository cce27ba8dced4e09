"""TFLite model metadata: labels and normalization inside the file, where Android's tools look for them.

A table of its own schema (root ModelMetadata, identifier M001) sits in a buffer of the model; associated files are a zip archive behind
the flatbuffer. `serialise` leaves an empty list and an empty buffer; here both are pointed to what is appended, so that the weights,
which may be 500 MB, are not written twice.

Source: tensorflow_lite_support/metadata/metadata_schema.fbs, version 1.5.0.
"""

import mmap
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from exporter.formats.artifact import Artifact, Tensor

LABELS = "labels.txt"
"""Name of the associated file."""

_AXIS_LABELS, _IMAGE, _NORMALIZATION = 2, 2, 1
_COLORS = {"rgb": 1, "gray": 2}
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Normalization:
    """y = (x - mean) / std for a pixel x in 0..255; one number or one a channel; color "rgb", "bgr" or "gray"."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    color: str = "rgb"


def add_metadata(artifact: Artifact, labels: Sequence[str] | None, normalization: Mapping[str, Normalization]) -> None:
    """Add metadata to a file that `write` has just written; once.

    Args:
        artifact: What `write` gave.
        labels: Names of the classes in the order of the output; they go to the outputs of that many values.
        normalization: By input's name in the file.

    Raises:
        ValueError: If the file has no room for metadata, or has metadata already.
    """
    content = _model_metadata(artifact, labels, normalization)
    with artifact.path.open("r+b") as file:
        _append(file.fileno(), artifact.path, content)
    if labels:
        with zipfile.ZipFile(artifact.path, "a", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(LABELS, _ZIP_EPOCH), "".join(f"{label}\n" for label in labels))


def _append(descriptor: int, path: Path, content: bytes) -> None:
    """Put the metadata behind the flatbuffer and point the model's empty list and empty buffer to it."""
    with mmap.mmap(descriptor, 0) as view:
        model = schema.Model.GetRootAs(view)
        count = model.BuffersLength()
        entry, last = model._tab.Offset(16), model.Buffers(count - 1)._tab
        if not entry or model.MetadataLength() or not last.Offset(4) or model.Buffers(count - 1).DataLength():
            raise ValueError(f"{path.name} has no room for metadata, or has some already")
        places = (model._tab.Pos + entry, last.Pos + last.Offset(4))
        start = -(-len(view) // 16) * 16
        tables, data = _entry(count - 1)
        view_size = len(view)
        del model, last
        view.resize(start + len(tables) + 4 + len(content))
        view[view_size:start] = bytes(start - view_size)
        view[start:] = tables + struct.pack("<I", len(content)) + content
        for place, target in zip(places, (start, start + data), strict=True):
            view[place : place + 4] = struct.pack("<I", target - place)


def _entry(buffer: int) -> tuple[bytes, int]:
    """The model's metadata list with its one entry, as flatbuffer bytes, and where the buffer's data begin behind it."""
    name = b"TFLITE_METADATA"
    vector = struct.pack("<II", 1, 12)
    vtable = struct.pack("<HHHH", 8, 12, 4, 8)
    table = struct.pack("<iII", 8, 8, buffer)
    text = struct.pack("<I", len(name)) + name + b"\0"
    body = vector + vtable + table + text
    # the data's length comes last, so that the data themselves are aligned to 16 bytes
    body += bytes(-(len(body) + 4) % 16)
    return body, len(body)


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """A flatbuffer written table by table."""

    def table(self, size: int, fields: Mapping[int, int], scalars: Mapping[int, int] | None = None) -> int:
        """A table with offsets and one-byte numbers by field number."""
        self.StartObject(size)
        for slot, offset in fields.items():
            self.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, number in (scalars or {}).items():
            self.PrependUint8Slot(slot, number, 0)
        return int(self.EndObject())

    def offsets(self, items: Sequence[int]) -> int:
        """A vector of tables."""
        self.StartVector(4, len(items), 4)
        for item in reversed(items):
            self.PrependUOffsetTRelative(item)
        return int(self.EndVector())

    def floats(self, values: Sequence[float]) -> int:
        """A vector of float32."""
        self.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.PrependFloat32(value)
        return int(self.EndVector())


def _model_metadata(artifact: Artifact, labels: Sequence[str] | None, normalization: Mapping[str, Normalization]) -> bytes:
    b = _Builder(1024)
    inputs = b.offsets([_input(b, t, normalization.get(t.name)) for t in artifact.inputs])
    outputs = b.offsets([_output(b, t, labels) for t in artifact.outputs])
    graph = b.offsets([b.table(7, {2: inputs, 3: outputs})])
    name, version = b.CreateString(artifact.path.stem), b.CreateString("1.0.0")
    b.Finish(b.table(8, {0: name, 3: graph, 7: version}), b"M001")
    return bytes(b.Output())


def _input(b: _Builder, t: Tensor, norm: Normalization | None) -> int:
    name = b.CreateString(t.name)
    if norm is None:
        return b.table(7, {0: name})
    image = b.table(2, {}, {0: _COLORS.get(norm.color, 0)})
    content = b.table(3, {1: image}, {0: _IMAGE})
    options = b.table(2, {0: b.floats(norm.mean), 1: b.floats(norm.std)})
    units = b.offsets([b.table(2, {1: options}, {0: _NORMALIZATION})])
    ends = [[(x - m) / s for m, s in _pairs(norm)] for x in (255.0, 0.0)]
    stats = b.table(2, {0: b.floats(ends[0]), 1: b.floats(ends[1])})
    return b.table(7, {0: name, 3: content, 4: units, 5: stats})


def _pairs(norm: Normalization) -> list[tuple[float, float]]:
    """Mean and std of every channel that either names."""
    count = max(len(norm.mean), len(norm.std))
    return [(norm.mean[i % len(norm.mean)], norm.std[i % len(norm.std)]) for i in range(count)]


def _output(b: _Builder, t: Tensor, labels: Sequence[str] | None) -> int:
    name = b.CreateString(t.name)
    if not labels or t.shape[-1:] != (len(labels),):
        return b.table(7, {0: name})
    file, text = b.CreateString(LABELS), b.CreateString("names of the classes, one a line")
    files = b.offsets([b.table(4, {0: file, 1: text}, {2: _AXIS_LABELS})])
    return b.table(7, {0: name, 6: files})
