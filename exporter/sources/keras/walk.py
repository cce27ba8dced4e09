"""Walks a functional model of Keras 3 or tf_keras, call by call, nested models included by the visitor.

Both frameworks keep the same record: nodes by depth, each with its layer, its arguments and its output tensors.
"""

from collections.abc import Callable, Sequence
from typing import Any

from exporter.sources.keras.call import leaves, map_leaves

Visitor = Callable[[Any, list[Any], dict[str, Any], list[Any]], list[Any]]
"""Called with layer, arguments, keyword arguments and symbolic outputs; returns one result an output."""

SILENT = ("training", "mask", "name")
"""Keyword arguments that say nothing about inference when they are None or False."""


def functional(model: Any) -> Any | None:
    """The object that holds a model's nodes: itself, or what a Keras 3 Sequential keeps; None for a layer or an unbuilt model."""
    inner = getattr(model, "_functional", None) or model
    return inner if getattr(inner, "_nodes_by_depth", None) and hasattr(inner, "inputs") else None


def maker(tensor: Any) -> Any:
    """The layer that made a symbolic tensor."""
    return tensor._keras_history[0]


def run(graph: Any, inputs: Sequence[Any], visit: Visitor) -> list[Any]:
    """Carry values from a functional model's inputs to its outputs.

    Args:
        graph: What `functional` returned.
        inputs: One value an input tensor of the model.
        visit: Computes each call.

    Returns:
        One value an output tensor of the model.
    """
    known = {id(t): v for t, v in zip(graph.inputs, inputs, strict=True)}
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            outputs = list(leaves(node.outputs))
            if node.is_input or all(id(t) in known for t in outputs):
                continue
            layer, args, kwargs = _parts(node)
            args, kwargs = map_leaves([args, kwargs], lambda leaf: known.get(id(leaf), leaf) if symbolic(leaf) else leaf)
            results = visit(layer, args, kwargs, outputs)
            known.update({id(t): v for t, v in zip(outputs, results, strict=True)})
    return [known[id(t)] for t in graph.outputs]


def symbolic(leaf: Any) -> bool:
    """Whether a leaf is a tensor that a layer made while the model was built."""
    return hasattr(leaf, "_keras_history")


def _parts(node: Any) -> tuple[Any, list[Any], dict[str, Any]]:
    if hasattr(node, "operation"):
        layer, args, kwargs = node.operation, node.arguments.args, node.arguments.kwargs
    else:
        layer, args, kwargs = node.layer, node.call_args, node.call_kwargs
    return layer, list(args), {k: v for k, v in kwargs.items() if not (k in SILENT and not symbolic(v))}
