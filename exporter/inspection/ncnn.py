"""Inspect a .param file, with the sizes of the weights that lie beside it."""

from pathlib import Path
from typing import Any

from exporter.errors import EngineError, SourceError
from exporter.runtimes.ncnn_param import read_param


def inspect_ncnn(path: Path) -> dict[str, Any]:
    """Layers by name and kind; shapes are not stored in such files.

    Raises:
        SourceError: If it is no ncnn file.
    """
    try:
        layers = read_param(path)
    except EngineError as problem:
        raise SourceError(problem.message, hint=problem.hint) from None
    unknown = {"shape_in": None, "shape_out": None, "params": "", "macs": "", "mac_elements": "", "bytes": ""}
    rows = [{"name": layer.name, "op": layer.kind, **unknown} for layer in layers]
    weights = path.with_suffix(".bin")
    read = {name for layer in layers for name in layer.inputs}
    inputs = {name: "fed" for layer in layers if layer.kind == "Input" for name in layer.outputs}
    outputs = {name: layer.kind for layer in layers for name in layer.outputs if name not in read}
    totals = {"layers": len(layers), "bytes": weights.stat().st_size if weights.is_file() else 0}
    return {"name": path.stem, "source": {"format": "ncnn"}, "inputs": inputs, "outputs": outputs, "layers": rows, "totals": totals}
