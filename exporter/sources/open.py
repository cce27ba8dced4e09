"""The one door for models: which kind a path holds, and the Source that reads it.

What reads a Graph is imported when one is read: a framework can start while the rest of us is imported.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from exporter.array import Array
from exporter.child import Child
from exporter.disk import Scratch
from exporter.errors import SourceError, UsageError
from exporter.sources.options import LoadOptions, SourceInfo
from exporter.sources.sniff import sniff

if TYPE_CHECKING:
    from exporter.graph import Graph

__all__ = ["LoadOptions", "Source", "SourceInfo", "open_source"]

LIMIT_S = 900.0
"""Time limit of one call into a source's framework, in seconds."""

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1",
    "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
}  # fmt: skip
"""Of the child: quiet, the same arithmetic everywhere, and big memory that is freed kept for what is allocated next. Keras holds
each weight several times for a moment while it loads, and fresh pages cost more time than all else there."""


class Source(ABC):
    """An opened model. Its framework, if any, runs in a child process that starts at the first call and ends with `close`."""

    info: SourceInfo

    def __init__(self, info: SourceInfo, options: LoadOptions) -> None:
        self.info, self.options = info, options
        self._child: Child | None = None

    @property
    def name(self) -> str:
        """The model's name, fit for a folder: letters, digits, `_`, `-` and `.`."""
        stem = self.info.path.resolve().name if self.info.format == "saved_model" else self.info.path.stem
        return re.sub(r"[^\w.-]+", "_", self.options.name or stem, flags=re.ASCII).strip("._-") or "model"

    @abstractmethod
    def load(self) -> Graph:
        """The model as a Graph.

        Raises:
            SourceError: If the model cannot be read or is refused.
        """

    def reference(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Outputs of the untouched source in its own framework.

        Args:
            inputs: By source name, in the source's layout; axis 0 holds any number of samples.

        Returns:
            By source name, in the source's layout; axis 0 as given.
        """
        _, outputs = self._framework().call("reference", inputs)
        return outputs

    @abstractmethod
    def _framework(self) -> Child:
        """The child process of this source."""

    def _start(self, module: str, *, wait: bool = True) -> Child:
        if self._child is None:
            setup = {"path": str(self.info.path.resolve()), "options": self.options.to_json()}
            what = f"{self.info.framework} on {self.info.path.name}"
            env = {k: v for k, v in _ENVIRONMENT.items() if k not in os.environ}
            self._child = Child(module, setup, what=what, timeout_s=LIMIT_S, error=SourceError, env=env, wait=wait)
        return self._child

    def close(self) -> None:
        """End the child process; safe to call twice."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class FrameworkSource(Source):
    """A model that only its framework can read: one child process both loads it and gives the reference."""

    def __init__(self, info: SourceInfo, options: LoadOptions, module: str) -> None:
        super().__init__(info, options)
        self.module = module

    def begin(self) -> None:
        """Start the framework without waiting for it; the next call waits, and raises what went wrong."""
        self._start(self.module, wait=False)

    def load(self) -> Graph:
        """The Graph; its weights stay mapped to a file that is already unlinked."""
        with Scratch() as folder:
            return self.load_into(Path(folder))

    def load_into(self, folder: Path) -> Graph:
        """The Graph, which the child writes into an existing folder; its weights stay mapped there, wherever the folder goes.

        Raises:
            SourceError: If the model cannot be read or is refused.
            DiskError: If it cannot be written.
        """
        from exporter.graph.files import load_graph

        self._framework().call("load", folder=str(folder))
        graph = load_graph(folder)
        graph.name = self.name
        return graph

    def _framework(self) -> Child:
        return self._start(self.module)


class OnnxSource(Source):
    """An ONNX file: loaded here, where time and memory matter; onnxruntime gives the reference in a child process."""

    def load(self) -> Graph:
        """The Graph; big weights stay as the file holds them."""
        from exporter.sources.onnx import load

        return load(self.info.path, self.options, self.name)

    def _framework(self) -> Child:
        return self._start("sources.onnx_reference")


def _keras(info: SourceInfo, options: LoadOptions) -> Source:
    return FrameworkSource(info, options, "sources.keras")


def _saved_model(info: SourceInfo, options: LoadOptions) -> Source:
    return FrameworkSource(info, options, "sources.saved_model")


SOURCES: dict[str, Callable[[SourceInfo, LoadOptions], Source]] = {
    "keras": _keras, "h5": _keras, "saved_model": _saved_model, "onnx": OnnxSource,
}  # fmt: skip
"""Who reads each kind of model."""


def open_source(path: Path | str, options: LoadOptions | None = None) -> Source:
    """Open a model by what it holds, whatever its suffix says.

    Args:
        path: A `.keras`, `.h5`, `.hdf5` or `.onnx` file, or a SavedModel folder.
        options: How to read it.

    Raises:
        SourceError: If there is nothing, or something that is no model we read: says what it is and how to get on.
        UsageError: If a signature is named and it is no SavedModel.
    """
    path = Path(path)
    kind = sniff(path)
    if options is not None and options.signature is not None and kind != "saved_model":
        raise UsageError(
            f"--signature {options.signature}: {path.name} is no SavedModel", hint="leave it out, or name outputs with --outputs"
        )
    framework = _framework_of(kind, path)
    info = SourceInfo(path, kind, framework, importlib.metadata.version(framework.replace("_", "-")))
    return SOURCES[kind](info, options or LoadOptions())


def _framework_of(kind: str, path: Path) -> str:
    if kind == "h5":
        return "tf_keras" if _keras_major(path) < 3 else "keras"
    if kind == "keras":
        from exporter.sources.keras.stored import read_stored

        return read_stored(path).framework
    return {"saved_model": "tensorflow", "onnx": "onnxruntime"}[kind]


def _keras_major(path: Path) -> int:
    """Major version of the Keras that wrote an HDF5 file; 2 when it does not say."""
    import h5py

    try:
        with h5py.File(path) as file:
            version = file.attrs.get("keras_version", "2")
    except OSError as problem:
        raise SourceError(
            f"{path.name}: begins like an HDF5 file but cannot be read ({str(problem)[:120]})",
            hint="the file is damaged or was not downloaded whole; fetch it again",
        ) from problem
    text = version.decode() if isinstance(version, bytes) else str(version)
    return int(text.split(".")[0]) if text[:1].isdigit() else 2
