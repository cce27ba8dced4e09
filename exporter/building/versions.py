"""Versions of the tools that a result depends on: part of every cache key and of the manifest."""

import functools
import hashlib
import importlib.metadata
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

from exporter import __version__
from exporter.sources.options import LoadOptions
from exporter.store import Store

PACKAGES = (
    "numpy", "onnx", "onnx-ir", "onnxruntime", "ai-edge-litert", "ncnn", "tensorflow", "keras", "tf_keras", "tf2onnx", "pillow",
)  # fmt: skip


@functools.cache
def tool_versions() -> dict[str, str]:
    """Package to version, for those that are installed; Python too."""
    found = {"python": platform.python_version(), "mexport": __version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def identity(source_sha256: str, options: LoadOptions) -> dict[str, Any]:
    """What a loaded graph depends on."""
    return {"source": source_sha256, "options": options, "tools": tool_versions()}


def source_key(source_sha256: str, options: LoadOptions, store: Store) -> str:
    """What the store knows a source's Graph by: whatever it is called."""
    return store.key("graph", **identity(source_sha256, replace(options, name=None)))


def content_sha256(path: Path) -> str:
    """sha256 of a file, or of a folder's relative names and contents; the name itself where nothing is there."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path] if path.is_file() else []
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest() if files else str(path)
