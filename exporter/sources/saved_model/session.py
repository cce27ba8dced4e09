"""One SavedModel in a process of its own: gives its Graph, and answers as the reference."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.array import Array
from exporter.disk import Scratch
from exporter.errors import MexportError, SourceError, UsageError
from exporter.graph import Graph
from exporter.graph.files import save_graph
from exporter.sources.keras.loading import framework
from exporter.sources.options import LoadOptions
from exporter.sources.saved_model.check import check
from exporter.sources.saved_model.layers import through_layers
from exporter.sources.saved_model.serving import TO_ONNX, Serving, open_serving
from exporter.sources.saved_model.stored import needs_repair, read, repaired
from exporter.sources.saved_model.traced import through_signature


class Session:
    """Serves `exporter.child`.

    Args:
        path: A SavedModel folder.
        options: What LoadOptions.to_json gave; None for none.

    Attributes:
        facts: way ("layers" or "signature") once loaded, and why not through layers.
    """

    def __init__(self, path: str, options: Mapping[str, Any] | None = None) -> None:
        framework("tf_keras")
        self.options = LoadOptions.from_json(options) if options else LoadOptions()
        if self.options.inputs:
            raise UsageError("a SavedModel cannot be cut at inner inputs", hint=TO_ONNX.format(name=Path(path).name))
        self.name = self.options.name or Path(path).name
        self.stored = read(Path(path), trust=self.options.trust)
        self.serving = self._open()
        self.facts: dict[str, Any] = {}

    def _open(self) -> Serving:
        """The signature of the untouched model; of a repaired copy where TensorFlow does not load that."""
        try:
            return self._serving(self.stored.path)
        except MexportError:
            raise
        except Exception as problem:
            first = (str(problem).strip() or type(problem).__name__).splitlines()[0][:300]
            if needs_repair(self.stored):
                return self._open_repaired()
            raise SourceError(f"TensorFlow cannot load {self.name}: {first}", hint="save or fetch the model again") from problem

    def _open_repaired(self) -> Serving:
        with self._repaired() as folder:
            return self._serving(folder)

    def _serving(self, folder: Path) -> Serving:
        return open_serving(str(folder), self.options.outputs, self.name, self.options.signature)

    @contextmanager
    def _repaired(self) -> Iterator[Path]:
        """A folder to load from once: the weights are read at loading."""
        if not needs_repair(self.stored):
            yield self.stored.path
            return
        with Scratch() as name:
            yield repaired(self.stored, Path(name))

    def load(self, folder: str) -> tuple[dict[str, Any], dict[str, Array]]:
        """Write the RAW Graph into an existing folder."""
        save_graph(self._graph(), Path(folder))
        return dict(self.facts), {}

    def _graph(self) -> Graph:
        """Through the layers; where that fails or gives other outputs, through the signature."""
        shapes = {name or "": shape for name, shape in self.options.input_shapes.items()}
        try:
            with self._repaired() as folder:
                graph = through_layers(self.stored, folder, self.serving, shapes, self.name)
            check(graph, self.serving, self.name)
            self.facts = {"way": "layers"}
        except MexportError as why:
            self.facts = {"way": "signature", "not_layers": why.message}
            inlinable = self._open_repaired() if needs_repair(self.stored) else self.serving
            graph = through_signature(inlinable, self.options.input_shapes, self.name)
            check(graph, self.serving, self.name)
        return graph

    def reference(self, arrays: Mapping[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
        """The serving signature's outputs by name, for n samples by input name."""
        return {}, self.serving.reference(arrays)
