"""The one slicer: a Graph without some classes of channels, every constant cut to what is left.

Weights are cut when they are first read, so that a plan can be counted without touching them; `materialise` cuts them all.
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.channels.classes import Channels
from exporter.graph import BATCH, Graph, shape_of, unique_name


class Cut:
    """A Graph being cut.

    Args:
        channels: Of the Graph as it was.
        keep: Whether each class stays, bool (classes,).
    """

    def __init__(self, channels: Channels, keep: Array) -> None:
        self.channels, self.keep = channels, keep
        self.graph = channels.graph.clone()
        self.shapes = {str(v.name): shape_of(v) for n in channels.graph.nodes for v in n.outputs if v.shape is not None and v.name}
        self.shapes |= {str(v.name): shape_of(v) for v in channels.graph.model.graph.inputs}
        self.given: dict[tuple[str, bytes], ir.Value] = {}
        self.taken: set[str] = set()
        self.places: dict[tuple[str, int], Array | None] = {}
        self.names = set(self.shapes) | set(self.graph.model.graph.initializers)

    def kept(self, value: ir.Value, axis: int) -> Array | None:
        """Places along an axis that stay, int64; None where all do."""
        found = self.channels.classes.get(value.name or "")
        if found is None:
            return None
        place = str(value.name), axis % found.ndim
        if place not in self.places:
            along = self.keep[found].any(tuple(i for i in range(found.ndim) if i != place[1]))
            self.places[place] = None if found.shape[place[1]] == 1 or along.all() else np.flatnonzero(along)
        return self.places[place]

    def old_shape(self, value: ir.Value) -> tuple[int, ...]:
        """Before the cut, 1 on the batch axis."""
        return self.shapes[str(value.name)]

    def new_shape(self, value: ir.Value) -> tuple[int, ...]:
        """After it."""
        kept = [self.kept(value, axis) for axis in range(len(self.old_shape(value)))]
        return tuple(old if k is None else len(k) for old, k in zip(self.old_shape(value), kept, strict=True))

    def touched(self, value: ir.Value | None) -> bool:
        """Whether a value loses channels."""
        return value is not None and str(value.name) in self.shapes and self.new_shape(value) != self.old_shape(value)

    def pick(self, node: ir.Node, index: int, places: dict[int, Array | None]) -> None:
        """Cut a constant input to some places of its axes; axes without places stay whole."""
        value = node.inputs[index]
        wanted = {axis: p for axis, p in places.items() if p is not None}
        if value is None or value.const_value is None or not wanted:
            return
        shape = [int(str(d)) for d in value.const_value.shape]
        for axis, p in wanted.items():
            shape[axis] = len(p)
        whole = value.const_value
        key = b"|".join(str(axis).encode() + p.tobytes() for axis, p in sorted(wanted.items()))
        self.give(node, index, key, shape, lambda: _picked(whole.numpy(), wanted))

    def give(self, node: ir.Node, index: int, key: bytes, shape: list[int], make: Callable[[], Array]) -> None:
        """Give a node another constant, cut from the one it has; those who share it and cut it alike still share it.

        Args:
            node: The node.
            index: Which input.
            key: What tells one cut of this constant from another.
            shape: Of the new constant.
            make: Computes it.
        """
        old = node.inputs[index]
        assert old is not None
        assert old.const_value is not None
        place = (str(old.name), key)
        if place not in self.given:
            name = self._name(str(old.name), reuse=True)
            tensor = ir.LazyTensor(lambda: ir.tensor(make(), name=name), old.const_value.dtype, shape=ir.Shape(shape), name=name)
            self.given[place] = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        node.replace_input_with(index, self.given[place])

    def constant(self, node: ir.Node, index: int, array: Array) -> None:
        """Give a node a new small constant of its own: bounds, sizes or a shape."""
        name = self._name(f"{node.outputs[0].name}_{index}")
        tensor = ir.tensor(array, name=name)
        if len(node.inputs) <= index:
            node.resize_inputs(index + 1)
        made = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.given[name, b""] = made
        node.replace_input_with(index, made)

    def _name(self, base: str, *, reuse: bool = False) -> str:
        """A free name; with `reuse` an old constant's own, the first time: it is dropped when nobody reads it any more."""
        name, i = base, 2
        while name in self.taken or (name in self.names and not (reuse and name == base)):
            name, i = f"{base}_{i}", i + 1
        self.taken.add(name)
        return name

    def finish(self) -> Graph:
        """Shapes set, the new constants registered, the old ones that nobody reads gone."""
        body = self.graph.model.graph
        for node in body:
            for value in node.outputs:
                if self.touched(value):
                    value.shape = ir.Shape([BATCH, *self.new_shape(value)[1:]])
        for name, value in list(body.initializers.items()):
            if not value.uses() and not value.is_graph_output():
                del body.initializers[name]
        for value in self.given.values():
            if not value.uses():
                continue
            if value.name in body.initializers:  # the old one is still read by others
                value.name = unique_name(self.graph, str(value.name))
            body.register_initializer(value)
        return self.graph


def materialise(graph: Graph) -> Graph:
    """Compute every constant that was only promised, in place."""
    for value in graph.model.graph.initializers.values():
        if isinstance(value.const_value, ir.LazyTensor):
            value.const_value = ir.tensor(np.ascontiguousarray(value.const_value.numpy()), name=value.name)
    return graph


def _picked(array: Array, places: dict[int, Array]) -> Array:
    for axis, p in places.items():
        array = array.take(p, axis)
    return array
