"""What a writer hands on: the files it wrote and how their tensors stand to the Graph's values."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from exporter.array import Array


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a written file.

    Attributes:
        name: Its name in the file.
        graph_name: The Graph value that it holds.
        shape: Its shape in the file; ncnn's has no batch axis.
        perm: File axis i holds Graph axis perm[i]; where the file has no batch axis, perm still counts the Graph's axes and leaves 0 out.
        dtype: numpy name of its element type.
        scale: Of a tensor that holds integers, else None: x = (q - zero_point) * scale.
        zero_point: Likewise.
    """

    name: str
    graph_name: str
    shape: tuple[int, ...]
    perm: tuple[int, ...]
    dtype: str = "float32"
    scale: float | None = None
    zero_point: int = 0

    def from_graph(self, x: Array) -> Array:
        """One sample in Graph layout, axis 0 of length 1, as this tensor wants it; quantized where it holds integers."""
        sample = x if 0 in self.perm else x[0]
        axes = self.perm if 0 in self.perm else tuple(a - 1 for a in self.perm)
        return np.ascontiguousarray(self._quantized(sample.transpose(axes)), self.dtype).reshape(self.shape)

    def to_graph(self, x: Array, graph_shape: tuple[int, ...]) -> Array:
        """This tensor's array as one sample in Graph layout, dequantized; graph_shape has 1 on axis 0."""
        batchless = 0 not in self.perm
        axes = tuple(a - 1 for a in self.perm) if batchless else self.perm
        dims = graph_shape[1:] if batchless else graph_shape
        return self.real(x).reshape([dims[a] for a in axes]).transpose(np.argsort(axes)).reshape(graph_shape)

    def real(self, x: Array) -> Array:
        """What this tensor's numbers stand for; those of a float tensor themselves."""
        return x if self.scale is None else (x.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)

    def nearest(self, x: Array) -> Array:
        """The nearest reals that this tensor can hold."""
        return self.real(self._quantized(x))

    def _quantized(self, x: Array) -> Array:
        """Reals to the nearest stored numbers in float32, halves to even, as engines do it."""
        if self.scale is None:
            return x
        info = np.iinfo(self.dtype)
        stored: Array = np.clip(np.rint(x.astype(np.float32) / np.float32(self.scale)) + self.zero_point, info.min, info.max)
        return stored


@dataclass(frozen=True, slots=True)
class Artifact:
    """A written model.

    Attributes:
        format: "onnx", "ncnn" or "tflite".
        path: The file that an engine is pointed to (for ncnn the `.param`).
        files: All files of the model, `path` first.
        precision: What runs, e.g. "fp32".
        inputs: In the Graph's order.
        outputs: In the Graph's order.
        taps: Graph value name to the file's tensor that holds it, for every value that survived fusion.
        floats: Layers of an integer file that run in float, and why.
    """

    format: str
    path: Path
    files: tuple[Path, ...]
    precision: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    taps: dict[str, Tensor]
    floats: "tuple[Problem, ...]" = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """A layer that a format cannot express (`fatal`), or that leaves its engine's fast path."""

    layer: str
    op: str
    reason: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write.

    Attributes:
        precision: "fp32", "fp16", "int8", ...; for "int8" and "mixed" the Graph has its QuantizeLinear pairs in it.
        layout: "nchw" or "nhwc" (onnx only, None: the source's).
        opset: Of an onnx file.
        io: Type of the inputs and outputs of an int8 file: "float32", "int8" or "uint8".
        float32: Graph values that a file in half precision keeps in float32, and so the layers that make or read them (ncnn only).
    """

    precision: str = "fp32"
    layout: str | None = None
    opset: int | None = None
    io: str = "float32"
    float32: tuple[str, ...] = ()
