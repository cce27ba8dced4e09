"""What a caller may say about a source, and what a source says about itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class LoadOptions:
    """How to read a source.

    Attributes:
        input_shapes: Shape by source input name, in the source's layout, batch included; key None: the only input.
        inputs: Source names of the values to start from; empty for the source's own inputs.
        outputs: Source names of the values to end at; empty for the source's own outputs.
        trust: Whether code of the user's (custom objects, Lambda layers) may run.
        custom_objects: Module with Keras custom objects, e.g. "pkg.module"; needs `trust`.
        name: Overrides the model's name.
        signature: Which signature of a SavedModel; None: `serving_default`, or the only one.
    """

    input_shapes: Mapping[str | None, tuple[int, ...]] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    trust: bool = False
    custom_objects: str | None = None
    name: str | None = None
    signature: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The options as plain JSON values, for a child process; `from_json` is the inverse."""
        shapes = [[name, list(shape)] for name, shape in self.input_shapes.items()]
        return {
            "input_shapes": shapes, "inputs": list(self.inputs), "outputs": list(self.outputs),
            "trust": self.trust, "custom_objects": self.custom_objects, "name": self.name, "signature": self.signature,
        }  # fmt: skip

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The options that `to_json` wrote."""
        shapes = {name: tuple(shape) for name, shape in values["input_shapes"]}
        return cls(**{**values, "input_shapes": shapes, "inputs": tuple(values["inputs"]), "outputs": tuple(values["outputs"])})


@dataclass(frozen=True)
class SourceInfo:
    """Facts of a source for the manifest.

    Attributes:
        path: Where it was read from.
        format: "keras", "h5", "saved_model" or "onnx".
        framework: Who gives the reference: "keras", "tf_keras", "tensorflow" or "onnxruntime".
        version: That framework's installed version.
    """

    path: Path
    format: str
    framework: str
    version: str

    @cached_property
    def sha256(self) -> str:
        """Of the file; of a SavedModel folder over the sorted relative names and contents. Computed when first asked for."""
        return _sha256(self.path)


def _sha256(path: Path) -> str:
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for name, file_path in sorted((p.relative_to(path).as_posix(), p) for p in path.rglob("*") if p.is_file()):
        total.update(name.encode() + b"\0" + bytes.fromhex(_sha256(file_path)))
    return total.hexdigest()
