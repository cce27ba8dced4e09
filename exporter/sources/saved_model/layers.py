"""A Keras SavedModel through its layers: tf_keras revives them from what Keras noted, code is never revived."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exporter.errors import SourceError
from exporter.graph import Graph, Port
from exporter.sources.keras import lower_model
from exporter.sources.keras.loading import compute_in_float32, framework
from exporter.sources.keras.screen import screen
from exporter.sources.saved_model.serving import Serving
from exporter.sources.saved_model.stored import Stored


def through_layers(stored: Stored, folder: Path, serving: Serving, shapes: Mapping[str, Sequence[int]], name: str) -> Graph:
    """The Graph of a Keras SavedModel, its ports named as in the serving signature.

    Args:
        stored: The model.
        folder: Where to load it from: a repaired copy, or itself.
        serving: Its serving signature.
        shapes: Source-layout shapes by input name, where the model leaves axes open.
        name: Name of the Graph.

    Raises:
        SourceError: If it has no layers, holds code, or a layer has no lowering.
    """
    keras = framework("tf_keras")
    metadata = stored.metadata()
    if not metadata:
        raise SourceError(f"{name} has no Keras metadata")
    for config in metadata:
        screen(config, name, keras, known=frozenset())
    model = _revive(keras, folder, name)
    compute_in_float32(model)
    graph = lower_model(model, name=name, input_shapes=shapes)
    return _renamed(graph, list(serving.inputs), serving.known, serving.outputs)


def _revive(keras: Any, folder: Path, name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return keras.models.load_model(folder, compile=False)
    except Exception as problem:
        first = (str(problem).strip() or type(problem).__name__).splitlines()[0][:200]
        raise SourceError(f"{name}: tf_keras cannot revive its layers: {first}") from problem


def _renamed(graph: Graph, inputs: Sequence[str], outputs: Sequence[str], wanted: Sequence[str]) -> Graph:
    """Ports under the signature's names and in its order; only the wanted outputs."""
    graph.inputs = _matched(graph.inputs, inputs)
    ports = {p.source_name: p for p in _matched(graph.outputs, outputs)}
    values = {v.name: v for v in graph.model.graph.outputs}
    graph.outputs = tuple(ports[n] for n in wanted)
    order = {v.name: v for v in graph.model.graph.inputs}
    graph.model.graph.inputs.clear()
    graph.model.graph.inputs.extend(order[p.name] for p in graph.inputs)
    graph.model.graph.outputs.clear()
    graph.model.graph.outputs.extend(values[p.name] for p in graph.outputs)
    return graph


def _matched(ports: Sequence[Port], names: Sequence[str]) -> tuple[Port, ...]:
    """One port a signature name: equal names, else the only one, else by order (the numeric check judges it)."""
    if len(ports) != len(names):
        raise SourceError(f"the layers have {len(ports)} ports where the signature has {len(names)}")
    mine = {p.source_name: p for p in ports}
    if set(mine) == set(names):
        return tuple(mine[n] for n in names)
    return tuple(replace(p, source_name=n) for p, n in zip(ports, names, strict=True))
