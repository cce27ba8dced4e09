"""Reads what a Keras file says about itself, without running anything of it: format, version, config."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.errors import SourceError

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK\x03\x04"
DAMAGED = "download or save the file again"
"""The hint for files that are no model at all."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A model file, unopened by its framework.

    Attributes:
        path: The file.
        format: "keras" or "h5".
        version: The Keras version that wrote it, e.g. "2.4.0"; "" when it does not say.
        config: The stored architecture.
    """

    path: Path
    format: str
    version: str
    config: dict[str, Any]

    @property
    def framework(self) -> str:
        """Who must read it: "keras" (3) or "tf_keras" (2)."""
        major = self.version.split(".")[0]
        if major.isdigit():
            return "keras" if int(major) >= 3 else "tf_keras"
        return "keras" if self.format == "keras" else "tf_keras"


def read_stored(path: Path) -> Stored:
    """Read a `.keras` or HDF5 file's config; decided by content, not by suffix.

    Raises:
        SourceError: If it is neither, damaged, or holds weights alone.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as problem:
        raise SourceError(f"{path}: {problem.strerror}", hint="check the path") from problem
    try:
        if head.startswith(HDF5_MAGIC):
            return _read_h5(path)
        if head.startswith(ZIP_MAGIC):
            return _read_zip(path)
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile) as problem:
        first = str(problem).strip("'\"").splitlines()[0] if str(problem) else type(problem).__name__
        raise SourceError(f"{path.name} is damaged or incomplete: {first}", hint=DAMAGED) from problem
    raise SourceError(f"{path.name} is no Keras file: {_what_it_is(head)}", hint=DAMAGED)


def _what_it_is(head: bytes) -> str:
    if not head:
        return "it is empty"
    if head.startswith(b"version https://git-lfs"):
        return "it is a git-lfs pointer, the model itself was not fetched (`git lfs pull`)"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "it is a web page"
    return f"it begins with {head[:8]!r}, neither zip nor HDF5"


def _read_h5(path: Path) -> Stored:
    import h5py

    with h5py.File(path, "r") as file:
        config = _text(file.attrs.get("model_config"))
        version = _text(file.attrs.get("keras_version"))
        if not version and "model_weights" in file:
            version = _text(file["model_weights"].attrs.get("keras_version"))
    if not config:
        raise SourceError(
            f"{path.name} holds weights without an architecture", hint="save the whole model: model.save(...), not save_weights"
        )
    return Stored(path, "h5", version, _parsed(path, config))


def _read_zip(path: Path) -> Stored:
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if "config.json" not in names:
            hint = "PyTorch files are exported to ONNX first: torch.onnx.export" if any(n.endswith("data.pkl") for n in names) else DAMAGED
            raise SourceError(f"{path.name} is a zip file without config.json, so no Keras model", hint=hint)
        config = archive.read("config.json").decode()
        metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
    return Stored(path, "keras", str(metadata.get("keras_version", "")), _parsed(path, config))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _parsed(path: Path, text: str) -> dict[str, Any]:
    config = json.loads(text)
    if not isinstance(config, dict) or "class_name" not in config:
        raise SourceError(f"{path.name}: the stored architecture is no Keras model", hint=DAMAGED)
    return config
