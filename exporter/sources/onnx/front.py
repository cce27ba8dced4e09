"""Brings the batch to the front of every value of a graph that turns it elsewhere or merges it with other axes.

What a file does with one sample is all that counts: so the graph is taken for batch size 1, and a new axis for the batch is carried
along in front of every value. Where a value has an axis of size 1 that the batch may take, it is taken; else the axis is added:

    Given:   a = Reshape(x, [L, N*heads, d]);  q = Transpose(a, perm=[1, 0, 2])
    Result:  a = Reshape(x, [0, L, heads, d]); q = Transpose(a, perm=[0, 2, 1, 3])

So the heads of an attention, the windows of Swin and the patches of MobileViT get an axis of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.sources.onnx.facts import Facts
from exporter.sources.onnx.upgrade import constant, replace_node, set_input

Dims = tuple[int, ...]
Place = int | None
"""The axis, of size 1 in the file, that the batch takes; None where it is an axis more, before all others."""


@dataclass
class Front:
    """Where each value's batch goes, and the edits that bring it there, kept until all rules have agreed.

    Attributes:
        one: Facts for batch size 1.
        place: By value.
        edits: To be done in order.
    """

    one: Facts
    place: dict[ir.Value, Place] = field(default_factory=dict)
    edits: list[Callable[[], None]] = field(default_factory=list)

    def shape(self, value: ir.Value | None) -> Dims:
        """The value's shape in the file, for one sample.

        Raises:
            ValueError: If it is not known.
        """
        found = self.one.shape(value)
        if found is None:
            raise ValueError(f"the shape of {value.name if value else 'an input'} is not known")
        return found

    def computed(self, node: ir.Node) -> list[int]:
        """The inputs that depend on the samples."""
        return [i for i, v in enumerate(node.inputs) if v is not None and self.constant(node, i) is None]

    def constant(self, node: ir.Node, index: int) -> Array | None:
        """The array of a constant input."""
        return self.one.constant(node, index)

    def of(self, node: ir.Node, index: int = 0) -> Place:
        """Where the batch of the node's input is."""
        value = node.inputs[index]
        return self.place.get(value) if value is not None else None

    def put(self, node: ir.Node, place: Place) -> None:
        """All outputs have the batch there."""
        self.place.update(dict.fromkeys(node.outputs, place))

    def move(self, node: ir.Node, index: int, place: Place, pad: int = 0) -> None:
        """See that the node reads its input with the batch there, `pad` axes of size 1 behind it."""
        value = node.inputs[index]
        shape = self.shape(value)
        have, want = front(shape, self.of(node, index)), (1, *[1] * pad, *front(shape, place)[1:])
        if have != want:
            self.edits.append(lambda: _reshape_input(node, index, want))

    def set_axis(self, node: ir.Node, axis: int) -> None:
        """The attribute `axis`."""
        self.edits.append(lambda: node.attributes.add(ir.AttrInt64("axis", axis)))

    def set_constant(self, node: ir.Node, index: int, role: str, array: Array) -> None:
        """A constant input of the node's own."""
        self.edits.append(lambda: set_input(node, index, constant(node, role, np.asarray(array))))

    def add_behind(self, node: ir.Node, bias: Array) -> None:
        """Add a constant to the node's output; the sum takes over its name and readers."""
        product = ir.node("MatMul", list(node.inputs))
        replace_node(node, [product, ir.node("Add", [product.outputs[0], constant(node, "bias", bias)])])


def front(shape: Dims, place: Place) -> Dims:
    """A shape with the batch in front: 1, then all other axes."""
    return (1, *shape) if place is None else (1, *shape[:place], *shape[place + 1 :])


def moved_axis(axis: int, place: Place) -> int:
    """Where an axis other than the batch's is behind the batch."""
    return axis + 1 if place is None or axis < place else axis


def _reshape_input(node: ir.Node, index: int, shape: Dims) -> None:
    value = node.inputs[index]
    assert value is not None
    assert node.graph is not None
    new = ir.node("Reshape", [value])
    new.outputs[0].name = f"{node.outputs[0].name}/front{index}"
    new.name = new.outputs[0].name
    node.graph.insert_before(node, new)
    set_input(new, 1, constant(new, "shape", np.array([0, *shape[1:]], np.int64)))
    node.replace_input_with(index, new.outputs[0])
