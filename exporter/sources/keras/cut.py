"""Where a model may be cut: the layers of its graph by name, those of nested models by path (`outer/inner`) or by a name of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.errors import SourceError, unknown_name
from exporter.sources.keras.call import leaves
from exporter.sources.keras.walk import Visitor, functional, maker, run, symbolic


@dataclass(frozen=True, slots=True)
class Places:
    """Tensors of a model by the names that cut it.

    Attributes:
        outputs: The model's own outputs.
        tensors: All tensors that a name stands for; several where a layer is called more than once.
    """

    outputs: list[Any]
    tensors: dict[str, list[Any]]

    def tensor(self, name: str) -> Any:
        """The one tensor of a name.

        Raises:
            UsageError: If no layer has the name; suggests the nearest.
            SourceError: If it stands for several tensors.
        """
        found = self.tensors.get(name)
        if found is None:
            inner = [path for path in self.tensors if path.endswith(f"/{name}")]
            if len(inner) > 1:
                raise SourceError(f"{len(inner)} inner layers are called {name}", hint=f"give the path: {' or '.join(inner[:4])}")
            if not inner:
                raise unknown_name("layer", name, {*self.tensors, *(path.rsplit("/", 1)[-1] for path in self.tensors)})
            found = self.tensors[inner[0]]
        if len(found) > 1:
            raise SourceError(f"layer {name} has {len(found)} outputs", hint="cut at a layer before or behind it")
        return found[0]


def places(graph: Any, names: Sequence[str]) -> Places:
    """Where a functional model can be cut, looked for inside nested models only if one of the names asks for it.

    Args:
        graph: What `functional` returned.
        names: Names of layers, or of tensors of the outermost graph.
    """
    top = _top(graph)
    nested = any(functional(layer) is not None for layer in _layers(graph))
    return _flattened(graph) if nested and any(n not in top.tensors for n in names) else top


def _top(graph: Any) -> Places:
    """The outermost graph alone, by layer name and by tensor name."""
    found: dict[str, dict[int, Any]] = {}
    for node in _nodes(graph):
        for tensor in leaves(node.outputs):
            for name in (maker(tensor).name, tensor.name):
                found.setdefault(name, {})[id(tensor)] = tensor
    return Places(list(graph.outputs), {name: list(tensors.values()) for name, tensors in found.items()})


def _flattened(graph: Any) -> Places:
    """The same layers called once more, on the model's own inputs, with nothing nested: weights are shared, not copied."""
    found: dict[str, list[Any]] = {maker(t).name: [t] for t in graph.inputs}

    def within(prefix: str) -> Visitor:
        def visit(layer: Any, args: list[Any], kwargs: dict[str, Any], outputs: list[Any]) -> list[Any]:
            path, inner = f"{prefix}{layer.name}", functional(layer)
            if inner is None:
                results = list(leaves(layer(*args, **kwargs)))
            else:
                results = run(inner, [t for t in leaves([args[:1], kwargs]) if symbolic(t)], within(f"{path}/"))
            found.setdefault(path, []).extend(results)
            return results

        return visit

    return Places(run(graph, list(graph.inputs), within("")), found)


def _nodes(graph: Any) -> Iterator[Any]:
    for nodes in graph._nodes_by_depth.values():
        yield from nodes


def _layers(graph: Any) -> Iterator[Any]:
    for node in _nodes(graph):
        yield getattr(node, "operation", None) or node.layer
