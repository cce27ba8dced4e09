"""A SavedModel through its serving signature: tf2onnx reads the frozen graph, our ONNX reader does the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import SourceError
from exporter.graph import CHANNELS_FIRST, Graph
from exporter.sources.onnx import from_proto
from exporter.sources.options import LoadOptions
from exporter.sources.saved_model.frozen import to_onnx
from exporter.sources.saved_model.serving import Serving

OPSET = 18
"""The newest operator set that tf2onnx writes."""


def through_signature(serving: Serving, shapes: Mapping[str | None, Sequence[int]], name: str) -> Graph:
    """The Graph of a signature; pictures become channels first.

    Args:
        serving: A signature loaded from a repaired copy: what only XLA may run cannot be inlined.
        shapes: Source-layout shapes by input name; None: the only input.
        name: Name of the Graph.

    Raises:
        SourceError: If a shape stays open, tf2onnx has no translation, or the graph is refused.
    """
    dims = {n: _dims(n, s, shapes, len(serving.inputs)) for n, s in serving.inputs.items()}
    proto, arrays = _convert(serving, dims, name)
    pictures = [n for n, d in dims.items() if len(d) == 4]
    try:
        graph = from_proto(proto, arrays, Path(), LoadOptions(), name)
    except SourceError as problem:
        way = f"to cut it, turn it into ONNX first: `python -m tf2onnx.convert --saved-model {name} --opset {OPSET} --output {name}.onnx`"
        raise SourceError(problem.message, hint=way) from problem
    by_name = {p.source_name: p for p in graph.inputs}
    graph.inputs = tuple(replace(by_name[n], perm=CHANNELS_FIRST[4]) if n in pictures else by_name[n] for n in dims)
    order = {v.name: v for v in graph.model.graph.inputs}
    graph.model.graph.inputs.clear()
    graph.model.graph.inputs.extend(order[p.name] for p in graph.inputs)
    _name_outputs(graph, serving.outputs)
    return graph


def _dims(name: str, spec: Any, shapes: Mapping[str | None, Sequence[int]], count: int) -> list[int | None]:
    if spec.shape.rank is None:
        own: list[int | None] = []
    else:
        own = [None if d is None else int(d) for d in spec.shape]
    given = shapes.get(name) or (shapes.get(None) if count == 1 else None)
    if given is not None:
        fits = not own or (len(own) == len(given) and all(o in (None, g) for o, g in zip(own[1:], given[1:], strict=True)))
        if not fits:
            raise SourceError(f"input {name} has the shape {own}; {list(given)} does not fit", hint="give all axes, batch first")
        return [own[0] if own else None, *given[1:]]
    if not own or None in own[1:]:
        shown = ", ".join("?" if d is None else str(d) for d in own) or "of any rank"
        raise SourceError(f"input {name} has an open shape ({shown})", hint=f"fix it, for example --input-shape {name}=1,224,224,3")
    return own


def _convert(serving: Serving, dims: Mapping[str, Sequence[int | None]], name: str) -> tuple[Any, dict[str, Array]]:
    """The signature as an onnx.ModelProto, and the weights that it lacks, by name."""
    import logging

    import tensorflow as tf

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    names = list(dims)

    @tf.function  # type: ignore[untyped-decorator]
    def call(*args: Any) -> list[Any]:
        results = serving.function(**dict(zip(names, args, strict=True)))
        return [tf.identity(results[n]) for n in serving.outputs]

    specs = [tf.TensorSpec(dims[n], serving.inputs[n].dtype, name=n) for n in names]
    pictures = [f"{n}:0" for n in names if len(dims[n]) == 4]
    try:
        proto, weights = to_onnx(call.get_concrete_function(*specs), OPSET, pictures)
    except Exception as problem:  # whatever tf2onnx trips over is told in our words
        first = (str(problem).strip() or type(problem).__name__).splitlines()[0][:300]
        raise SourceError(
            f"tf2onnx cannot translate the serving signature of {name}: {first}", hint="export the model as .keras or .onnx"
        ) from problem
    _spell_erfc(proto.graph)
    return proto, weights


def _spell_erfc(graph: Any) -> None:
    """tf2onnx passes TensorFlow's Erfc through, which ONNX lacks: erfc(x) = 1 + erf(-x)."""
    from onnx import helper, numpy_helper

    nodes = []
    for node in graph.node:
        if node.op_type != "Erfc" or node.domain:
            nodes.append(node)
            continue
        y = node.output[0]
        graph.initializer.append(numpy_helper.from_array(np.ones((), np.float32), f"{y}__one"))
        nodes.append(helper.make_node("Neg", [node.input[0]], [f"{y}__negative"], name=f"{node.name}__negative"))
        nodes.append(helper.make_node("Erf", [f"{y}__negative"], [f"{y}__erf"], name=f"{node.name}__erf"))
        nodes.append(helper.make_node("Add", [f"{y}__erf", f"{y}__one"], [y], name=node.name))
    del graph.node[:]
    graph.node.extend(nodes)


def _name_outputs(graph: Graph, names: Sequence[str]) -> None:
    """tf2onnx calls outputs Identity:0, Identity_1:0, ...: give them the signature's names, which stand in the same order."""
    taken = {v.name for node in graph.nodes for v in node.outputs} | {v.name for v in graph.model.graph.inputs}
    taken |= set(graph.model.graph.initializers)
    ports = []
    for port, value, name in zip(graph.outputs, graph.model.graph.outputs, names, strict=True):
        if name not in taken:
            value.name = name
        ports.append(replace(port, source_name=name, name=value.name or port.name))
    graph.outputs = tuple(ports)
