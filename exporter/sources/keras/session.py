"""One Keras model in a process of its own: gives its Graph, and answers as the reference."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.array import Array
from exporter.graph.files import save_graph
from exporter.sources.keras.loading import framework, load_stored
from exporter.sources.keras.lower import lower_signature
from exporter.sources.keras.reference import reference
from exporter.sources.keras.retrace import with_graph
from exporter.sources.keras.signature import signature_of
from exporter.sources.keras.stored import read_stored
from exporter.sources.options import LoadOptions


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
        self.shapes = {name or "": shape for name, shape in wanted.input_shapes.items()}
        self.signature = signature_of(with_graph(model, self.shapes), wanted.inputs, wanted.outputs)
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
        return {}, reference(self.signature, arrays)


def graph_name(text: str) -> str:
    """Letters, digits, `_`, `-` and `.` only."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.") or "model"
