"""A Keras model in the making: tensors with their layouts, layers with names and weights."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import onnx_ir as ir
from keras import layers

from exporter.array import Array
from exporter.graph import Graph
from exporter.train.call import Call, Refused
from exporter.train.layout import Axes, beside, channels_last, plain, reshaping
from exporter.train.roles import Role, roles_of


@dataclass(frozen=True, slots=True)
class Held:
    """A Keras tensor and its layout, as `Carried` has it; the batch stands first."""

    value: Any
    axes: Axes

    @property
    def rank(self) -> int:
        """Number of axes, the batch included."""
        return len(self.axes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the physical axes but the batch."""
        return tuple(self.value.shape[1:])

    def place(self, axis: int) -> int:
        """Where a Graph axis stands; negative ones count from the end."""
        return self.axes.index(axis % self.rank)

    def like(self, value: Any) -> "Held":
        """Another tensor of the same layout."""
        return Held(value, self.axes)


class Builder:
    """Layers are named after the Graph's nodes; those that a node needs beside its own get a suffix.

    Args:
        graph: The Graph; its weights are copied into the layers.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.roles: dict[str, Role] = roles_of(graph)
        self.held: dict[ir.Value, Held] = {}
        self.done: set[ir.Node] = set()
        self.base = "layer"
        self._taken: set[str] = set()
        self._moved: dict[tuple[int, Axes], Held] = {}
        self._shared: dict[str, Any] = {}

    def name(self, text: str) -> str:
        """A layer name that is free: Keras allows no slash, and each once."""
        base = re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.-") or "layer"
        name, i = base, 2
        while name in self._taken:
            name, i = f"{base}_{i}", i + 1
        self._taken.add(name)
        return name

    def apply(
        self, kind: Callable[..., Any], x: Any, suffix: str = "", weights: Sequence[Array] = (), *, key: Any = None, **config: Any
    ) -> Any:
        """Call a new layer on a tensor or several; with the same weights (`key`) and settings, the layer that has them already."""
        same = None if key is None else repr((kind.__name__, key, sorted(config.items())))
        layer = None if same is None else self._shared.get(same)
        if layer is None:
            layer = kind(name=self.name(self.base + suffix), **config)
            y = layer(x)
            if weights:
                layer.set_weights(list(weights))
            if same is not None:
                self._shared[same] = layer
            return y
        return layer(x)

    def get(self, value: ir.Value | None) -> Held:
        """A computed value.

        Raises:
            Refused: If it is a constant or absent.
        """
        if value is None or value not in self.held:
            raise Refused(f"its input {value.name if value is not None else ''} is no computed value")
        return self.held[value]

    def to(self, x: Held, axes: Axes) -> Held:
        """The same in another layout, by one Permute however often it is asked for.

        Raises:
            Refused: If the batch would have to move.
        """
        if axes == x.axes:
            return x
        if axes[0] != 0 or x.axes[0] != 0:
            raise Refused("it moves the batch axis")
        key = (id(x.value), axes)
        if key not in self._moved:
            dims = tuple(x.axes.index(a) for a in axes[1:])
            self._moved[key] = Held(self.apply(layers.Permute, x.value, "_permute", dims=dims), axes)
        return self._moved[key]

    def last(self, x: Held) -> Held:
        """With the channels at the end."""
        return self.to(x, channels_last(x.rank))

    def plain(self, x: Held) -> Held:
        """In the Graph's order."""
        return self.to(x, plain(x.rank))

    def reshape(self, value: Any, sizes: Sequence[int], suffix: str = "_reshape") -> Any:
        """A tensor in other sizes (without the batch); the same where it has them."""
        if tuple(value.shape[1:]) == tuple(sizes):
            return value
        return self.apply(layers.Reshape, value, suffix, target_shape=tuple(sizes))

    def reshaped(self, call: Call, x: Held) -> Held:
        """What Reshape and its like do.

        Raises:
            Refused: If the batch is merged with something.
        """
        way = reshaping(call.shape_in(), call.shape_out(), x.axes)
        if not way.dims or way.dims[0] != -1 or -1 in way.dims[1:]:
            raise Refused("it merges the batch with something")
        return Held(self.reshape(self.to(x, way.order).value, way.dims[1:], ""), way.axes)

    def beside(self, x: Held, axes: Axes) -> Any:
        """A tensor beside another of layout `axes`: its axes in that order, 1 where it has none.

        Raises:
            Refused: If its batch axis would not stand with the other's.
        """
        if x.rank == len(axes):
            return self.to(x, axes).value
        raise Refused(f"it joins values of {x.rank} and {len(axes)} axes")

    def weights(self, node: ir.Node, indices: Sequence[int]) -> tuple[list[Array], list[str]]:
        """Constant inputs in the form of their roles, and their names.

        Raises:
            Refused: If one is computed.
        """
        arrays, names = [], []
        for i in indices:
            value = node.inputs[i] if i < len(node.inputs) else None
            name = "" if value is None else str(value.name)
            if value is None or value.const_value is None or name not in self.roles:
                raise Refused(f"its input {i} is computed, a constant is needed")
            arrays.append(self.roles[name].to_tensor(value.const_value.numpy()))
            names.append(name)
        return arrays, names


def constant_beside(array: Array, axes: Axes) -> Array:
    """A constant beside a tensor of layout `axes`: of that rank, in that order."""
    order, there = beside(axes, array.ndim)
    moved = array.transpose(order)
    sizes = iter(moved.shape)
    return moved.reshape([next(sizes) if has else 1 for has in there])


def has(node: ir.Node, index: int) -> bool:
    """Whether the node has that input."""
    return index < len(node.inputs) and node.inputs[index] is not None


__all__ = ["Builder", "Call", "Held", "Refused", "constant_beside", "has", "keras", "layers"]
