"""Weights beside an ONNX file."""

from collections.abc import Mapping
from pathlib import Path

import onnx_ir as ir

from exporter.array import Array
from exporter.errors import SourceError


def attach(model: ir.Model, arrays: Mapping[str, Array], folder: Path) -> None:
    """Give each initializer its data: mapped arrays, or files beside the model.

    Raises:
        SourceError: Names the files that are missing, too short or outside the model's folder.
    """
    problems: dict[str, str] = {}
    for name, value in model.graph.initializers.items():
        if name in arrays:
            value.const_value = ir.Tensor(arrays[name], name=name)
        elif isinstance(value.const_value, ir.ExternalTensor):
            fault = _fault(value.const_value, folder)
            if fault is not None:
                problems[str(value.const_value.location)] = fault
            else:
                value.const_value.base_dir = folder
    if problems:
        told = "; ".join(f"{name} {fault}" for name, fault in sorted(problems.items()))
        raise SourceError(f"the model's weights lie in files beside it: {told}", hint=f"put them, unchanged, into {folder.resolve()}")


def _fault(tensor: ir.ExternalTensor, folder: Path) -> str | None:
    location = Path(str(tensor.location))
    if location.is_absolute() or ".." in location.parts:
        return "is outside the model's folder"
    path = folder / location
    if not path.is_file():
        return "is missing"
    if not path.resolve().is_relative_to(folder.resolve()):
        return "is a link out of the model's folder"
    need = (tensor.offset or 0) + (tensor.length if tensor.length is not None else tensor.nbytes)
    return f"is too short: {path.stat().st_size} bytes, {need} needed" if path.stat().st_size < need else None
