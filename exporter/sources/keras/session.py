"""One Keras model in a process of its own: gives its Graph, and answers as the reference."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import SourceError
from exporter.graph.files import save_graph
from exporter.sources.keras.loading import framework, load_stored
from exporter.sources.keras.lower import lower_signature
from exporter.sources.keras.signature import signature_of
from exporter.sources.keras.stored import read_stored
from exporter.sources.options import LoadOptions

BATCH = 16
"""Samples the reference computes at once where the model does not fix the number."""


class Session:
    """Serves `exporter.child`.

    Args:
        path: A `.keras`, `.h5` or `.hdf5` file.
        options: What LoadOptions.to_json gave; None for none.

    Attributes:
        facts: format, framework, version (of the framework that reads it), written_by, inputs, outputs.
    """

    def __init__(self, path: str, options: Mapping[str, Any] | None = None) -> None:
        wanted = LoadOptions.from_json(options) if options else LoadOptions()
        stored = read_stored(Path(path))
        model = load_stored(stored, trust=wanted.trust, custom_objects=wanted.custom_objects)
        self.signature = signature_of(model, wanted.inputs, wanted.outputs)
        self.shapes = {name or "": shape for name, shape in wanted.input_shapes.items()}
        self.name = graph_name(wanted.name or Path(path).stem)
        self.facts = {
            "format": stored.format, "framework": stored.framework, "version": framework(stored.framework).__version__,
            "written_by": stored.version, "inputs": list(self.signature.inputs), "outputs": list(self.signature.outputs),
        }  # fmt: skip

    def load(self, folder: str) -> tuple[dict[str, Any], dict[str, Array]]:
        """Write the RAW Graph into an existing folder."""
        save_graph(lower_signature(self.signature, name=self.name, input_shapes=self.shapes), Path(folder))
        return dict(self.facts), {}

    def reference(self, arrays: Mapping[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
        """The framework's own outputs, float32, by source name, for n samples by input name."""
        missing = [n for n in self.signature.inputs if n not in arrays]
        if missing:
            raise SourceError(f"no array for input {', '.join(missing)}", hint=f"the inputs are {', '.join(self.signature.inputs)}")
        columns = [np.asarray(arrays[n]).astype(d) for n, d in zip(self.signature.inputs, self.signature.input_dtypes, strict=True)]
        fixed = next((int(t.shape[0]) for t in self.signature.model.inputs if t.shape[0] is not None), None)
        parts = [self._batch([c[i : i + (fixed or BATCH)] for c in columns], fixed) for i in range(0, len(columns[0]), fixed or BATCH)]
        joined = [np.concatenate(p) for p in zip(*parts, strict=True)]
        return {}, dict(zip(self.signature.outputs, joined, strict=True))

    def _batch(self, columns: Sequence[Array], fixed: int | None) -> list[Array]:
        """One call of the model; the last batch of a fixed size is filled up with copies of its last sample."""
        n = len(columns[0])
        if fixed is not None and n < fixed:
            columns = [np.concatenate([c, np.repeat(c[-1:], fixed - n, axis=0)]) for c in columns]
        results = self.signature.model(list(columns), training=False)
        results = results if isinstance(results, list | tuple) else [results]
        return [np.asarray(r)[:n].astype(np.float32) for r in results]


def graph_name(text: str) -> str:
    """Letters, digits, `_`, `-` and `.` only."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.") or "model"
