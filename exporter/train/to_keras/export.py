"""Write a Graph as a `.keras` file that anyone's Keras 3 loads and trains, checked against the Graph."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from keras import layers

from exporter import disk
from exporter.array import Array
from exporter.errors import UnsupportedOpError, UsageError
from exporter.graph import DOMAIN, Graph, Port, const, shape_of
from exporter.train.call import Call, Refused
from exporter.train.layout import channels_last, plain, transposed
from exporter.train.parity import SAMPLES, require_parity
from exporter.train.separate import separate
from exporter.train.to_keras.builder import Builder, Held, keras
from exporter.train.to_keras.table import LAYERS


def save(graph: Graph, path: Path, samples: Mapping[str, Array] | None = None) -> float:
    """Write the model; batch norms are live where the Graph has them.

    Inputs have the source's names and layout: a channels-first source gets a Permute in front, a channels-last one none.

    Args:
        graph: Cleaned or finished.
        path: A file that ends in `.keras`; written whole or not at all.
        samples: By source name, in the source's layout, to check with; None: normal noise.

    Returns:
        The largest difference of the written file from the Graph.

    Raises:
        UnsupportedOpError: If layers have no standard Keras layer; names all of them.
        ParityError: If the file read again does not give the Graph's outputs.
        UsageError: If the path ends otherwise.
        DiskError: If it cannot be written.
    """
    if path.suffix != ".keras":
        raise UsageError(f"{path} is no name for a Keras model", hint=f"write it to {path.with_suffix('.keras')}")
    graph = separate(graph)
    model = build(graph)
    part = path.with_name(f".{path.name}.part.keras")
    with disk.disk_errors(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras 3 on numpy 2
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            model.save(part)
            worst = require_parity(_Again(keras.models.load_model(part, compile=False), graph), graph, samples or _noise(graph))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return worst


def build(graph: Graph) -> Any:
    """The `keras.Model` of a Graph whose constants are separate.

    Raises:
        UnsupportedOpError: If layers have no standard Keras layer; names all of them.
    """
    b = Builder(graph)
    values = {str(v.name): v for v in (*graph.model.graph.inputs, *graph.model.graph.outputs)}
    inputs = [_input(b, port, values[port.name]) for port in graph.inputs]
    refused = [(n, why) for n in graph.nodes if n not in b.done and (why := _emit(b, n)) is not None]
    if refused:
        named = "; ".join(f"{n.name or n.outputs[0].name} ({n.op_type}): {why}" for n, why in refused)
        count = f"{len(refused)} layer{'s' if len(refused) > 1 else ''}"
        raise UnsupportedOpError(f"standard Keras layers cannot say {count}: {named}", hint="the .onnx file holds the same model")
    outputs = [_output(b, port, values[port.name], inputs) for port in graph.outputs]
    return keras.Model(inputs, outputs, name=b.name(graph.name))


def _input(b: Builder, port: Port, value: ir.Value) -> Any:
    axes = transposed(plain(len(port.perm)), port.perm)
    shape = shape_of(value)
    tensor = keras.Input(tuple(shape[a] for a in axes[1:]), name=b.name(port.source_name))
    b.base = port.source_name
    held = Held(tensor, axes)
    b.held[value] = b.to(held, channels_last(4)) if held.rank == 4 else held
    return tensor


def _output(b: Builder, port: Port, value: ir.Value, inputs: list[Any]) -> Any:
    """In the source's layout; of several, each is a layer of the output's name."""
    b.base = port.source_name
    found = b.to(b.get(value), transposed(plain(len(port.perm)), port.perm)).value
    if len(b.graph.outputs) > 1 or any(found is x for x in inputs):
        return b.apply(layers.Identity, found)
    return found


def _emit(b: Builder, node: ir.Node) -> str | None:
    """Make one node's layers; the reason if that cannot be. Nodes after one that was refused are not looked at."""
    if node.op_type not in LAYERS or node.domain not in ("", "ai.onnx", DOMAIN):
        return "there is no standard Keras layer for it"
    if any(v is not None and v.const_value is None and v not in b.held for v in node.inputs):
        return None
    b.base = node.name or str(node.outputs[0].name)
    try:
        made = LAYERS[node.op_type](b, Call(node, [const(v) for v in node.inputs]))
    except Refused as problem:
        return str(problem)
    b.held.update(zip(node.outputs, made if isinstance(made, list) else [made], strict=False))
    return None


def _noise(graph: Graph) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    values = {str(v.name): v for v in graph.model.graph.inputs}
    return {p.source_name: p.to_source(rng.standard_normal(shape_of(values[p.name], SAMPLES)).astype(np.float32)) for p in graph.inputs}


class _Again:
    """A Keras model that answers as the Graph's other forms do."""

    def __init__(self, model: Any, graph: Graph) -> None:
        self.model, self.graph = model, graph

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs by source name."""
        got = self.model([inputs[p.source_name] for p in self.graph.inputs], training=False)
        found = got if isinstance(got, list | tuple) else [got]
        return {p.source_name: y for p, y in zip(self.graph.outputs, found, strict=True)}
