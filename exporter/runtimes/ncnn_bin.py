"""What the `.bin` beside an ncnn `.param` file must hold, layer by layer, before the engine, which trusts it, sees it."""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from exporter.errors import EngineError
from exporter.runtimes.ncnn_param import ParamLayer

Number = Callable[[int, int], int]

TAGS = {
    0: ("float32", 4), 0x0002C056: ("float32", 4), 0x01306B47: ("float16", 2), 0x01348B83: ("bfloat16", 2), 0x000D4B38: ("int8", 1),
}  # fmt: skip
"""Type tag of a weight block to the type's name and bytes an element. Any other tag: a table of 256 floats, and an index a weight."""

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
class Block:
    """What a layer reads in one go: a type tag, when it has one, then the elements.

    Attributes:
        count: Elements.
        tagged: Whether a tag tells their type; else they are float32.
        scale: Whether they are scales of int8 numbers, and so no weights.
    """

    count: int
    tagged: bool = False
    scale: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """A block as a file has it: its type by numpy's name, or "table"; bytes with tag and padding."""

    block: Block
    dtype: str
    bytes: int


Blocks = list[Block]


def check_bin(layers: list[ParamLayer], path: Path) -> None:
    """Compare the size of a `.bin` with what its layers read; stops at a layer whose weights are unknown here.

    Raises:
        EngineError: If the file is missing, too short or too long: ncnn itself would read past its end, or not notice.
    """
    if not path.is_file():
        raise EngineError(f"no weights file {path}", hint="it belongs beside the .param file")
    size, read, known = path.stat().st_size, 0, 0
    for layer, blocks in stored(layers, path):
        read, known = read + sum(b.bytes for b in blocks), known + 1
        if read > size:
            raise EngineError(
                f"{path.name} is cut short: layer {layer.name} needs bytes up to {read:,}, the file has {size:,}", hint="build it again"
            )
    if known == len(layers) and read != size:
        raise EngineError(f"{path.name} has {size:,} bytes, its .param reads {read:,}", hint="the two files do not belong together")


def stored(layers: list[ParamLayer], path: Path) -> Iterator[tuple[ParamLayer, list[Stored]]]:
    """Each layer with what it reads of a `.bin`, in order; ends before a layer whose weights are unknown here.

    Where the file is cut short, blocks reach beyond its end.
    """
    with path.open("rb") as file:
        for layer in layers:
            blocks = _blocks(layer)
            if blocks is None:
                return
            yield layer, [_stored(file, block) for block in blocks]


def _stored(file: BinaryIO, block: Block) -> Stored:
    """A block that begins where the file is; the file is behind it then."""
    if not block.tagged:
        file.seek(4 * block.count, 1)
        return Stored(block, "float32", 4 * block.count)
    found = file.read(4)
    tag = struct.unpack("<I", found)[0] if len(found) == 4 else 0
    name, each = TAGS.get(tag, ("table", 1))
    size = -(-block.count * each // 4) * 4 + 1024 * (tag not in TAGS)
    file.seek(size, 1)
    return Stored(block, name, 4 + size)


def _blocks(layer: ParamLayer) -> Blocks | None:
    """Each block that a layer reads, or None for a layer with weights that this table lacks."""
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
    yield Block(n(6), tagged=True)
    yield from _if(n(5), n(0))
    if n(8):
        depthwise = "DepthWise" in layer.kind
        yield Block(n(0) if not depthwise else (n(7, 1) if n(8) % 100 == 1 else 1), scale=True)
        yield Block(1, scale=True)
        if n(8) > 100:
            yield Block(1, scale=True)


def _if(condition: int, count: int) -> Blocks:
    return [Block(count)] if condition else []


def _inner_product(n: Number) -> Blocks:
    scales = [Block(n(0, 0), scale=True), Block(1, scale=True)] if n(8, 0) else []
    return [Block(n(2, 0), tagged=True), *_if(n(1, 0), n(0, 0)), *scales]


def _memory(n: Number) -> Blocks:
    elements = math.prod(n(number, 0) or 1 for number in (0, 1, 11, 2))
    return [Block(elements, tagged=n(21, 1) == 0)] if n(0, 0) else []


_BLOCKS: dict[str, Callable[[Number], Blocks]] = {
    "InnerProduct": _inner_product,
    "BatchNorm": lambda n: [Block(n(0, 0))] * 4,
    "Scale": lambda n: [] if n(0, 0) == -233 else [Block(n(0, 0)), *_if(n(1, 0), n(0, 0))],
    "Bias": lambda n: [Block(n(0, 0))],
    "PReLU": lambda n: [Block(n(0, 0))],
    "LayerNorm": lambda n: [Block(n(0, 0))] * 2 if n(2, 1) else [],
    "InstanceNorm": lambda n: [Block(n(0, 0))] * 2 if n(2, 1) else [],
    "GroupNorm": lambda n: [Block(n(1, 0))] * 2 if n(3, 1) else [],
    "MemoryData": _memory,
    "Padding": lambda n: _if(n(6, 0), n(6, 0)),
}
"""Layer type to its blocks, from its integer parameters."""
