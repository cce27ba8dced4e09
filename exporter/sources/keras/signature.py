"""What a model takes and gives, by the names its user knows; and the cut of a model at layer names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.errors import SourceError, unknown_name
from exporter.sources.keras.call import is_tf_keras
from exporter.sources.keras.cut import places
from exporter.sources.keras.walk import functional, maker


@dataclass(frozen=True, slots=True)
class Signature:
    """A model with flat, named inputs and outputs.

    Attributes:
        model: Functional; takes and gives lists in the order of the names.
        inputs: Names of its inputs: input layers, or dict keys.
        outputs: Names of its outputs: output layers, or dict keys.
    """

    model: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def input_dtypes(self) -> list[str]:
        """numpy name of each input's element type."""
        return [str(getattr(t.dtype, "name", t.dtype)) for t in self.model.inputs]

    def input_dims(self, given: Mapping[str, Sequence[int]]) -> list[tuple[int, ...]]:
        """Dims of each input without the batch, open axes filled in from `given`.

        Raises:
            SourceError: If an axis stays open or a given shape does not fit.
        """
        unknown = [n for n in given if n and n not in self.inputs]
        if unknown:
            raise unknown_name("input", unknown[0], self.inputs)
        return [
            _dims(n, tuple(t.shape), given.get(n) or self._anonymous(given)) for n, t in zip(self.inputs, self.model.inputs, strict=True)
        ]

    def _anonymous(self, given: Mapping[str, Sequence[int]]) -> Sequence[int] | None:
        if "" in given and len(self.inputs) > 1:
            raise SourceError(f"one shape for {len(self.inputs)} inputs", hint=f"say which: --input-shape {self.inputs[0]}=...")
        return given.get("")


def _dims(name: str, own: tuple[Any, ...], given: Sequence[int] | None) -> tuple[int, ...]:
    shown = ",".join("?" if d is None else str(d) for d in own[1:])
    if given is None:
        if any(d is None for d in own[1:]):
            raise SourceError(
                f"input {name} has the open shape ({shown})", hint=f"fix it, for example --input-shape {name}=1,{shown.replace('?', '224')}"
            )
        return tuple(int(d) for d in own[1:])
    fits = len(given) == len(own) and all(o is None or o == g for o, g in zip(own[1:], given[1:], strict=True))
    if not fits or any(g < 1 for g in given[1:]):
        raise SourceError(
            f"input {name} has the shape (N,{shown}), which {','.join(map(str, given))} does not fit", hint="give all axes, batch first"
        )
    return tuple(int(g) for g in given[1:])


def layers_of(model: Any) -> list[Any]:
    """Every layer of a model, those of nested models and wrappers too."""
    return list(model._flatten_layers())


def signature_of(model: Any, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> Signature:
    """Name a built model's inputs and outputs, and cut it where names are given.

    Args:
        model: A Keras 3 or tf_keras model with a functional graph.
        inputs: Layers whose output becomes an input, nested ones by path; none: the model's own inputs.
        outputs: Layers whose output becomes an output, alike; none: the model's own outputs.

    Raises:
        SourceError: If it has no functional graph, or the cut does not part it.
        UsageError: If a name is not in the model.
    """
    graph = functional(model)
    if graph is None:
        raise SourceError(
            f"model {model.name} ({type(model).__name__}) has no fixed graph of layers", hint="export it as a SavedModel instead"
        )
    where = places(graph, [*inputs, *outputs])
    starts = [where.tensor(n) for n in inputs] or list(graph.inputs)
    ends = [where.tensor(n) for n in outputs] or where.outputs
    names = list(inputs) or _names(graph.input, graph.inputs), list(outputs) or _names(graph.output, graph.outputs)
    try:
        flat = _model_class(graph)(starts, ends, name=model.name)
    except ValueError as problem:
        told = str(problem).splitlines()[0][:300]
        raise SourceError(
            f"the model cannot be cut there: {told}", hint="choose inputs that every path to the outputs runs through"
        ) from problem
    return Signature(flat, *(tuple(_unique(n)) for n in names))


def _model_class(graph: Any) -> Any:
    if is_tf_keras(graph):
        import tf_keras

        return tf_keras.Model
    import keras

    return keras.Model


def _names(structure: Any, tensors: Sequence[Any]) -> list[str]:
    if isinstance(structure, dict) and len(structure) == len(tensors):
        return sorted(structure)
    return [maker(t).name for t in tensors]


def _unique(names: Sequence[str]) -> list[str]:
    seen: list[str] = []
    for name in names:
        fresh, i = name, 2
        while fresh in seen:
            fresh, i = f"{name}_{i}", i + 1
        seen.append(fresh)
    return seen
