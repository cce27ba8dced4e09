"""Read an ncnn `.param` file and say what its `.bin` must hold, before the engine, which trusts both, sees them."""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from exporter.errors import EngineError

Block = tuple[bool, int]
Blocks = list[Block]
Number = Callable[[int, int], int]

MAGIC = "7767517"
TAGS = {0: 4, 0x0002C056: 4, 0x01306B47: 2, 0x01348B83: 2, 0x000D4B38: 1}
"""Type tag of a weight block to bytes an element: float32 twice, float16, bfloat16, int8. Any other tag: a table of 256 floats."""

CONVOLUTIONS = {
    "Convolution", "ConvolutionDepthWise", "Convolution1D", "ConvolutionDepthWise1D", "Deconvolution", "DeconvolutionDepthWise",
    "Deconvolution1D", "DeconvolutionDepthWise1D", "Convolution3D", "ConvolutionDepthWise3D", "Deconvolution3D",
    "DeconvolutionDepthWise3D",
}  # fmt: skip

WEIGHTLESS = {
    "Input", "Split", "ReLU", "Clip", "ELU", "CELU", "SELU", "GELU", "HardSigmoid", "HardSwish", "Sigmoid", "Swish", "TanH", "Mish",
    "Softplus", "Erf", "UnaryOp", "BinaryOp", "Eltwise", "Pooling", "Pooling1D", "Concat", "Slice", "Crop", "Reshape", "Permute",
    "Flatten", "Interp", "PixelShuffle", "Reorg", "ShuffleChannel", "Softmax", "Reduction", "LRN", "MatMul", "Tile", "Flip", "Dropout",
    "Noop", "Power", "Exp", "Log", "AbsVal", "Squeeze", "ExpandDims", "Threshold", "Pooling3D", "Cast", "Packing", "BNLL", "PriorBox",
    "DetectionOutput", "YoloDetectionOutput", "Yolov3DetectionOutput", "ROIPooling", "ROIAlign", "Proposal", "PSROIPooling",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParamLayer:
    """A line of the file; params by number, arrays as lists of numbers."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[int, float | list[float]]

    def integer(self, number: int, default: int = 0) -> int:
        """A parameter as an int."""
        value = self.params.get(number, default)
        return default if isinstance(value, list) else int(value)


def read_param(path: Path) -> list[ParamLayer]:
    """The layers of a `.param` file.

    Raises:
        EngineError: If it is not one, or is cut short.
    """
    if not path.is_file():
        raise EngineError(f"no file {path}", hint="give the path of a `.param` file")
    lines = path.read_text(errors="replace").splitlines()
    if not lines or lines[0].strip() != MAGIC:
        raise EngineError(f"{path.name} is not an ncnn .param text file: it does not begin with {MAGIC}", hint="build it again")
    try:
        count = int(lines[1].split()[0])
        layers = [_layer(line.split()) for line in lines[2:] if line.strip()]
    except (IndexError, ValueError) as problem:
        raise EngineError(f"{path.name} is damaged: {problem}", hint="build it again") from problem
    if len(layers) < count:
        raise EngineError(f"{path.name} announces {count} layers and has {len(layers)}", hint="it is cut short; build it again")
    layers = layers[:count]  # ncnn reads no further either
    _check_blobs(path, layers)
    return layers


def _layer(words: list[str]) -> ParamLayer:
    kind, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
    names, rest = words[4 : 4 + inputs + outputs], words[4 + inputs + outputs :]
    if len(names) != inputs + outputs:
        raise ValueError(f"layer {name} names {len(names)} blobs, needs {inputs + outputs}")
    params = dict(_param(word) for word in rest if "=" in word)
    return ParamLayer(kind, name, tuple(names[:inputs]), tuple(names[inputs:]), params)


def _param(word: str) -> tuple[int, float | list[float]]:
    key, value = word.split("=", 1)
    number = int(key)
    if value.startswith('"'):
        return number, []  # an expression, as newer converters write shapes
    if number <= -23300:
        return -23300 - number, [float(v) for v in value.split(",")[1:] if v]
    if "," in value:
        return number, [float(v) for v in value.split(",") if v]
    try:
        return number, float(value)
    except ValueError:
        return number, []  # an expression or a text


def _check_blobs(path: Path, layers: list[ParamLayer]) -> None:
    made: set[str] = set()
    for layer in layers:
        missing = [blob for blob in layer.inputs if blob not in made]
        if missing:
            raise EngineError(f"{path.name}: layer {layer.name} reads {missing[0]}, which no earlier layer makes", hint="build it again")
        made.update(layer.outputs)


def check_bin(layers: list[ParamLayer], path: Path) -> None:
    """Compare the size of a `.bin` with what its layers read; stops at a layer whose weights are unknown here.

    Raises:
        EngineError: If the file is missing, too short or too long: ncnn itself would read past its end, or not notice.
    """
    if not path.is_file():
        raise EngineError(f"no weights file {path}", hint="it belongs beside the .param file")
    size = path.stat().st_size
    with path.open("rb") as file:
        for layer in layers:
            blocks = _blocks(layer)
            if blocks is None:
                return
            for tagged, count in blocks:
                file.seek(_block_bytes(file, tagged, count), 1)
                if file.tell() > size:
                    raise EngineError(
                        f"{path.name} is cut short: layer {layer.name} needs bytes up to {file.tell():,}, the file has {size:,}",
                        hint="build it again",
                    )
        if file.tell() != size:
            raise EngineError(
                f"{path.name} has {size:,} bytes, its .param reads {file.tell():,}", hint="the two files do not belong together"
            )


def _block_bytes(file: BinaryIO, tagged: bool, count: int) -> int:
    """Bytes of a block after its tag, which is read here."""
    if not tagged:
        return 4 * count
    found = file.read(4)
    if len(found) < 4:
        return count
    (tag,) = struct.unpack("<I", found)
    if tag not in TAGS:
        return 1024 + -(-count // 4) * 4
    return -(-count * TAGS[tag] // 4) * 4


def _blocks(layer: ParamLayer) -> Blocks | None:
    """(tagged, elements) of each block that a layer reads, or None for a layer with weights that this table lacks."""
    if layer.kind in WEIGHTLESS:
        return []
    if layer.kind in CONVOLUTIONS:
        return list(_convolution(layer))
    known = _BLOCKS.get(layer.kind)
    return None if known is None else known(layer.integer)


def _convolution(layer: ParamLayer) -> Iterator[Block]:
    """Weights, bias, and int8 scales: of the weights, of the input, of the output."""
    n = layer.integer
    if (n(19) and "Deconvolution" not in layer.kind) or n(28):
        return
    yield True, n(6)
    yield from _if(n(5), n(0))
    if n(8):
        depthwise = "DepthWise" in layer.kind
        yield False, n(0) if not depthwise else (n(7, 1) if n(8) % 100 == 1 else 1)
        yield False, 1
        if n(8) > 100:
            yield False, 1


def _if(condition: int, count: int) -> Blocks:
    return [(False, count)] if condition else []


def _inner_product(n: Number) -> Blocks:
    scales = [(False, n(0, 0)), (False, 1)] if n(8, 0) else []
    return [(True, n(2, 0)), *_if(n(1, 0), n(0, 0)), *scales]


def _memory(n: Number) -> Blocks:
    elements = math.prod(n(number, 0) or 1 for number in (0, 1, 11, 2))
    return [(n(21, 1) == 0, elements)] if n(0, 0) else []


_BLOCKS: dict[str, Callable[[Number], Blocks]] = {
    "InnerProduct": _inner_product,
    "BatchNorm": lambda n: [(False, n(0, 0))] * 4,
    "Scale": lambda n: [] if n(0, 0) == -233 else [(False, n(0, 0)), *_if(n(1, 0), n(0, 0))],
    "Bias": lambda n: [(False, n(0, 0))],
    "PReLU": lambda n: [(False, n(0, 0))],
    "LayerNorm": lambda n: [(False, n(0, 0))] * 2 if n(2, 1) else [],
    "InstanceNorm": lambda n: [(False, n(0, 0))] * 2 if n(2, 1) else [],
    "GroupNorm": lambda n: [(False, n(1, 0))] * 2 if n(3, 1) else [],
    "MemoryData": _memory,
    "Padding": lambda n: _if(n(6, 0), n(6, 0)),
}
"""Layer type to its blocks, from its integer parameters."""
