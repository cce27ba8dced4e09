"""Write layers as `model.ncnn.param` (text) and `model.ncnn.bin` (weights)."""

import struct
from collections import Counter
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import BinaryIO

import numpy as np

from exporter.array import Array
from exporter.formats.ncnn.layer import Layer, Param, Weight

MAGIC = 7767517
TAG_FLOAT32, TAG_FLOAT16, TAG_INT8 = 0, 0x01306B47, 0x000D4B38
CHUNK = 1 << 20
"""Weights converted to float16 at a time."""

FLOAT16_MAX = 65504.0
NO_FLOAT16 = 3
"""Feature mask (parameter 31): neither float16 arithmetic nor storage."""


def with_splits(layers: list[Layer], outputs: dict[str, list[str]]) -> list[Layer]:
    """Every blob gets exactly one reader, as ncnn wants it, and every output its own name.

    Args:
        layers: In an order that runs.
        outputs: Blob to the names of the graph outputs that it is.
    """
    taken = {blob for layer in layers for blob in layer.outputs}
    reads = Counter(blob for layer in layers for blob in layer.inputs)
    queue: dict[str, list[str]] = {}
    done: list[Layer] = []
    for layer in layers:
        layer.inputs = [queue[b].pop(0) if b in queue else b for b in layer.inputs]
        done.append(layer)
        for i, blob in enumerate(layer.outputs):
            names = outputs.get(blob, [])
            if len(names) == 1 and not reads[blob] and layer.kind != "Input":
                layer.outputs[i] = names[0]
            elif reads[blob] + len(names) > 1 or names:
                queue[blob] = [_free(f"{blob}_split{j}", taken) for j in range(reads[blob])]
                done.append(Layer("Split", f"split_{blob}", [blob], [*queue[blob], *names]))
    return done


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def write_param(layers: list[Layer], path: Path) -> None:
    """The network's structure."""
    blobs = {blob for layer in layers for blob in layer.outputs}
    with path.open("w", encoding="ascii", newline="\n") as out:
        out.write(f"{MAGIC}\n{len(layers)} {len(blobs)}\n")
        for layer in layers:
            head = f"{layer.kind:<24} {layer.name:<24} {len(layer.inputs)} {len(layer.outputs)}"
            params = [_param(number, layer.params[number]) for number in sorted(layer.params)]
            out.write(" ".join([head, *layer.inputs, *layer.outputs, *params]) + "\n")


def _param(number: int, value: Param) -> str:
    if isinstance(value, tuple):
        return f"{-23300 - number}={len(value)},{','.join(_scalar(v) for v in value)}"
    return f"{number}={_scalar(value)}"


def _scalar(value: int | float) -> str:
    """ncnn takes a number for a float when it has a point or an exponent."""
    return f"{value:.8e}" if isinstance(value, float) else str(int(value))


def write_bin(layers: list[Layer], path: Path, *, half: bool) -> None:
    """The weights, one layer's at a time; with `half`, tagged blocks are float16 where they fit, else their layer is float32 throughout."""
    with path.open("wb") as out:
        for layer in layers:
            for weight in layer.weights:
                _write(out, weight, half and not layer.params.get(31))


def keep_float32(layers: list[Layer], blobs: AbstractSet[str] = frozenset()) -> None:
    """Mark layers whose weights exceed float16, and those that make or read given blobs, so that no engine option makes them infinite."""
    for layer in layers:
        beyond = any(w.tagged and not w.int8 and _exceeds(w.load()) for w in layer.weights)
        if beyond or not blobs.isdisjoint((*layer.inputs, *layer.outputs)):
            mask = layer.params.get(31, 0)
            layer.params[31] = NO_FLOAT16 | (mask if isinstance(mask, int) else 0)


def keep_splits_float32(layers: list[Layer], blobs: AbstractSet[str]) -> None:
    """The same for the Splits that hand those blobs out."""
    keep_float32([layer for layer in layers if layer.kind == "Split"], blobs)


def with_bridges(layers: list[Layer]) -> list[Layer]:
    """Between a layer in half precision and one that is marked: a Dropout that drops nothing.

    On ARM ncnn hands a marked layer its input as it is, in half precision, which that layer reads as float32, and crashes
    (net.cpp, `convert_layout`: it converts by the layer's own options). Dropout has no half precision there: ncnn converts for it.
    """
    wide = {b for layer in layers if _marked(layer) or layer.kind == "Input" for b in layer.outputs}
    done: list[Layer] = []
    for layer in layers:
        for i, blob in enumerate(layer.inputs):
            if _marked(layer) and blob not in wide:
                layer.inputs[i] = f"{blob}_float32"
                done.append(Layer("Dropout", f"float32_{blob}", [blob], [f"{blob}_float32"]))
        done.append(layer)
    return done


def _marked(layer: Layer) -> bool:
    mask = layer.params.get(31, 0)
    return isinstance(mask, int) and bool(mask & NO_FLOAT16)


def _exceeds(array: Array) -> bool:
    return bool(array.size and max(float(array.max()), -float(array.min())) > FLOAT16_MAX)


def _write(out: BinaryIO, weight: Weight, half: bool) -> None:
    if weight.int8:
        integers = np.ascontiguousarray(weight.load(), np.int8)
        out.write(struct.pack("<I", TAG_INT8) + integers.tobytes() + b"\0" * (-integers.size % 4))
        return
    flat = np.ascontiguousarray(weight.load(), "<f4").reshape(-1)
    if weight.tagged:
        out.write(struct.pack("<I", TAG_FLOAT16 if half else TAG_FLOAT32))
    if not (weight.tagged and half):
        out.write(flat.data.cast("B"))
        return
    for start in range(0, flat.size, CHUNK):
        out.write(flat[start : start + CHUNK].astype("<f2").tobytes())
    out.write(b"\0" * (-2 * flat.size % 4))
