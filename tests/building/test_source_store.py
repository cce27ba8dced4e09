"""What the store knows of a source: under any name, and by its name of today."""

from pathlib import Path

import numpy as np

from exporter.building.stages import raw_graph, reference, source_key
from exporter.graph.files import save_graph
from exporter.sample import model_path
from exporter.sources.open import LoadOptions, open_source
from exporter.store import Store
from tests.graphs import graph_from_text
from tests.small_models import classifier


def test_a_graph_is_found_under_another_name(tmp_path: Path) -> None:
    """It is one that no framework would give, so none was asked."""
    with Store(tmp_path / "cache") as store, open_source(model_path(), LoadOptions(name="second")) as source:
        key = source_key(source.info.sha256, LoadOptions(name="first"), store)
        with store.put("graph", key) as folder:
            save_graph(graph_from_text("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }", name="first"), folder)
        graph = raw_graph(source, source.options, store)
        assert (graph.name, [n.op_type for n in graph.nodes]) == ("second", ["Relu"])
        assert key != source_key(source.info.sha256, LoadOptions(outputs=("y",)), store)


def test_answers_are_found_under_another_name(tmp_path: Path) -> None:
    path, x = classifier(tmp_path / "small.onnx"), np.ones((2, 3, 12, 12), np.float32)
    found, started = [], []
    with Store(tmp_path / "cache") as store:
        for name in ("first", "second"):
            with open_source(path, LoadOptions(name=name)) as source:
                found.append(reference(source, source.options, {"image": x}, store)["scores"])
                started.append(source._child is not None)
    assert started == [True, False]
    assert np.array_equal(*found)
