"""Any file, float or int8, on preprocessed samples in the source's layout: its outputs as floats, in the reference's layout."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.int8_files import Tap
from exporter.array import Array
from exporter.child import Child
from exporter.runtimes.run import open_engine

RUNTIME = {".tflite": "litert", ".onnx": "onnxruntime", ".param": "ncnn"}
"""Suffix to the engine."""

BATCH = 500


def run(path: Path, x: Array, *, options: dict[str, Any] | None = None, tap: Tap | None = None) -> list[Array]:
    """The outputs of a file with one input, float64, each (n, ...) without the batch axis of one.

    Args:
        path: A `.tflite`, `.onnx` or `.param` file.
        x: float32 (n, *shape of the source's input).
        options: Of the engine.
        tap: An inner tensor to read instead.
    """
    runtime = RUNTIME[path.suffix]
    with open_engine(runtime, path, options=options or {}, timeout_s=1800) as engine:
        parts = [_batch(engine, runtime, x[i : i + BATCH], tap) for i in range(0, len(x), BATCH)]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _batch(engine: Child, runtime: str, x: Array, tap: Tap | None) -> list[Array]:
    fed = feeds(engine, runtime, x)
    _, got = engine.call("run_many", fed, tensors=[tap[0]] if tap else None)
    tapped = [{"name": tap[0], "scale": tap[1], "zero_point": tap[2]}] if tap else []
    facts: list[dict[str, Any]] = tapped or engine.facts["outputs"]
    return [_dropped(_real(got[f["name"]], f), runtime) for f in facts]


def feeds(engine: Child, runtime: str, x: Array) -> dict[str, Array]:
    """Samples as the file's only input wants them: its layout, its integers."""
    tensor = engine.facts["inputs"][0]
    shape = tensor["shape"] if runtime == "ncnn" or tensor["shape"] is None else tensor["shape"][1:]
    fed = as_shaped(x, tuple(shape) if shape else None)
    if tensor.get("scale"):
        info = np.iinfo(tensor["dtype"])
        fed = np.clip(np.round(fed / tensor["scale"]) + tensor["zero_point"], info.min, info.max).astype(tensor["dtype"])
    return {tensor["name"]: np.ascontiguousarray(fed if runtime == "ncnn" else fed[:, None])}


def as_shaped(x: Array, shape: tuple[int, ...] | None) -> Array:
    """Samples (n, ...) with the axes that a file wants: as they are, else channels moved last or first.

    Raises:
        ValueError: If neither is it; names both shapes.
    """
    if shape is None or x.shape[1:] == shape:
        return x
    if x.ndim == 4:
        for order in ((0, 2, 3, 1), (0, 3, 1, 2)):
            moved = x.transpose(order)
            if moved.shape[1:] == shape:
                return moved
    if x[0].size == int(np.prod(shape)) and 1 in (*shape, *x.shape[1:]):
        return x.reshape(len(x), *shape)
    raise ValueError(f"samples are {x.shape[1:]}, the file wants {shape}")


def _real(y: Array, facts: dict[str, Any]) -> Array:
    """Stored integers as the numbers they stand for."""
    real = y.astype(np.float64)
    return (real - facts["zero_point"]) * facts["scale"] if facts.get("scale") else real


def _dropped(y: Array, runtime: str) -> Array:
    return y if runtime == "ncnn" or y.ndim < 3 or y.shape[1] != 1 else y[:, 0]


def aligned(reference: list[Array], got: list[Array]) -> list[Array]:
    """The outputs in the order and layout of the reference's.

    Raises:
        ValueError: If one of the reference's has no counterpart.
    """
    left, found = list(got), []
    for ref in reference:
        match = next(((i, moved) for i, y in enumerate(left) if (moved := _fitted(y, ref.shape)) is not None), None)
        if match is None:
            raise ValueError(f"no output like {ref.shape[1:]} among {[y.shape[1:] for y in left]}")
        del left[match[0]]
        found.append(match[1])
    return found


def _fitted(y: Array, shape: tuple[int, ...]) -> Array | None:
    try:
        return as_shaped(y, shape[1:])
    except ValueError:
        return None
