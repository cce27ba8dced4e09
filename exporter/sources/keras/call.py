"""One call of a layer or operation in a Keras model, with its arguments as Tensors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.tensor import RefusedError, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A layer or operation and what it is called with.

    Attributes:
        layer: The Keras or tf_keras object.
        args: Positional arguments; Tensors stand where Keras tensors were.
        kwargs: Keyword arguments, alike.
    """

    layer: Any
    args: Sequence[Any]
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def tensors(self) -> list[Tensor]:
        """Every Tensor among the arguments, in order."""
        return [x for x in leaves([list(self.args), self.kwargs]) if isinstance(x, Tensor)]

    @property
    def x(self) -> Tensor:
        """The first Tensor."""
        return self.tensors[0]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by place or name; where the call has neither, the operation's attribute of that name."""
        if position < len(self.args):
            return self.args[position]
        if name in self.kwargs:
            return self.kwargs[name]
        return getattr(self.layer, name, default)


Handler = Callable[[Builder, Call], Any]
"""Lowers one call; returns its output Tensor, or a list of them."""


def leaves(tree: Any) -> Iterator[Any]:
    """The leaves of nested lists, tuples and dicts, dicts in the order of their sorted keys."""
    if isinstance(tree, dict):
        for key in sorted(tree, key=str):
            yield from leaves(tree[key])
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from leaves(item)
    else:
        yield tree


def map_leaves(tree: Any, change: Callable[[Any], Any]) -> Any:
    """The same nesting of lists, tuples and dicts with each leaf changed."""
    if isinstance(tree, dict):
        return {key: map_leaves(item, change) for key, item in tree.items()}
    if isinstance(tree, list | tuple):
        return [map_leaves(item, change) for item in tree]
    return change(tree)


def array(variable: Any) -> Array:
    """A weight or constant of either framework as float32; a weight that is float32 is not copied and may not be written to."""
    if not hasattr(variable, "numpy"):
        return np.asarray(variable, np.float32)
    import tensorflow as tf

    return np.asarray(memoryview(tf.cast(tf.convert_to_tensor(variable), tf.float32)))


def optional_array(variable: Any) -> Array | None:
    """The same; None stays None."""
    return None if variable is None else array(variable)


def pair(value: Any, n: int = 2) -> tuple[int, ...]:
    """An int or a sequence as n ints."""
    found = tuple(int(v) for v in value) if isinstance(value, list | tuple) else (int(value),) * n
    if len(found) != n:
        raise RefusedError(f"{found} where {n} numbers are needed")
    return found


def is_tf_keras(thing: Any) -> bool:
    """True for what tf_keras (Keras 2) defines: a few of its functions differ from Keras 3's."""
    return (getattr(thing, "__module__", None) or type(thing).__module__).startswith("tf_keras")
