"""Inspect a .param file, with the weights that lie beside it."""

from collections import Counter
from pathlib import Path
from typing import Any

from exporter.errors import EngineError, SourceError
from exporter.runtimes.ncnn_bin import Stored, stored
from exporter.runtimes.ncnn_param import ParamLayer, read_param

INT8, GIVES_INT8 = 8, 100
"""The parameter that makes a layer compute in integers; more than 100 where it hands integers on."""


def inspect_ncnn(path: Path) -> dict[str, Any]:
    """Layers by name and kind, weights by layer and by type; shapes are not stored in such files.

    Weights are counted up to the first layer of a kind unknown here; without a `.bin`, none are.

    Raises:
        SourceError: If it is no ncnn file.
    """
    try:
        layers = read_param(path)
    except EngineError as problem:
        raise SourceError(problem.message, hint=problem.hint) from None
    weights = path.with_suffix(".bin")
    blocks = {layer.name: found for layer, found in stored(layers, weights)} if weights.is_file() else {}
    rows = [_row(layer, blocks.get(layer.name)) for layer in layers]
    read = {name for layer in layers for name in layer.inputs}
    inputs = {name: "fed" for layer in layers if layer.kind == "Input" for name in layer.outputs}
    outputs = {name: layer.kind for layer in layers for name in layer.outputs if name not in read}
    totals = {"layers": len(layers), "bytes": weights.stat().st_size if weights.is_file() else 0, **_totals(blocks)}
    return {"name": path.stem, "source": {"format": "ncnn"}, "inputs": inputs, "outputs": outputs, "layers": rows, "totals": totals}


def _row(layer: ParamLayer, blocks: list[Stored] | None) -> dict[str, Any]:
    known = {"params": _params(blocks), "bytes": sum(b.bytes for b in blocks)} if blocks is not None else {"params": "", "bytes": ""}
    op = layer.kind + (_arithmetic(layer) if any(b.block.scale for b in blocks or ()) else "")
    return {"name": layer.name, "op": op, "shape_in": None, "shape_out": None, "macs": "", "mac_elements": "", **known}


def _arithmetic(layer: ParamLayer) -> str:
    return " int8 to int8" if layer.integer(INT8) > GIVES_INT8 else " int8"


def _params(blocks: list[Stored]) -> int:
    return sum(b.block.count for b in blocks if not b.block.scale)


def _totals(blocks: dict[str, list[Stored]]) -> dict[str, Any]:
    """Parameters, and bytes of the blocks of weights by type."""
    if not blocks:
        return {}
    by_type: Counter[str] = Counter()
    for found in blocks.values():
        for b in found:
            by_type["int8 scales" if b.block.scale else b.dtype] += b.bytes
    int8 = sum(any(b.block.scale for b in found) for found in blocks.values())
    return {"params": sum(_params(found) for found in blocks.values()), "bytes_by_type": dict(by_type), "int8_layers": int8}
