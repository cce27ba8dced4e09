"""What each constant of a Graph is to training: a weight with its form in TensorFlow, statistics of a batch norm, or just a number.

Form     Graph                       TensorFlow
kernel   (out, in / groups, *k)      (*k, in / groups, out)
depth    (groups * m, 1, *k)         (*k, groups, m)
back     (in, out / groups, *k)      (*k, out / groups, in)
plain    as it is                    as it is

Kernels over one axis get a height of 1.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.errors import UsageError
from exporter.graph import Graph, attr

_DENSE = ("Gemm", "MatMul")
_AFFINE = ("BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization")
_WEIGHTED = ("Conv", "ConvTranspose", *_DENSE, *_AFFINE)
_ELEMENTWISE = ("Add", "Sub", "Mul")


@dataclass(frozen=True, slots=True)
class Role:
    """How a constant is trained.

    Attributes:
        form: "kernel", "depth", "back" or "plain", see above.
        groups: Of a depthwise kernel.
        trainable: False for the statistics of a batch norm.
        decays: Whether weight decay applies: to kernels and matrices, not to biases and norms.
    """

    form: str
    groups: int = 1
    trainable: bool = True
    decays: bool = False

    def to_tensor(self, array: Array) -> Array:
        """From the Graph's form."""
        if self.form == "plain":
            return np.asarray(array, np.float32)
        kernel = array[:, :, None] if array.ndim == 3 else array
        if self.form == "depth":
            kernel = kernel.reshape(self.groups, -1, *kernel.shape[2:])
            return np.ascontiguousarray(kernel.transpose(2, 3, 0, 1), np.float32)
        return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0), np.float32)

    def to_array(self, tensor: Array, shape: tuple[int, ...]) -> Array:
        """Back to the Graph's form and shape."""
        if self.form == "plain":
            return np.asarray(tensor, np.float32).reshape(shape)
        turned = tensor.transpose(2, 3, 0, 1) if self.form == "depth" else tensor.transpose(3, 2, 0, 1)
        return np.ascontiguousarray(turned, np.float32).reshape(shape)


def roles_of(graph: Graph) -> dict[str, Role]:
    """By initializer name, in the order of their first use; constants that are no weights are left out.

    Raises:
        UsageError: If a weight is used in two ways that do not go together.
    """
    found: dict[str, Role | None] = {}
    where: dict[str, str] = {}
    for node in graph.nodes:
        for index, value in enumerate(node.inputs):
            if value is None or value.const_value is None:
                continue
            name, role = str(value.name), role_at(node, index)
            if name in found and (found[name] != role or (role is not None and not role.trainable)):
                first, second = where[name], str(node.name or node.outputs[0].name)
                raise UsageError(f"{name} is used in two ways, by {first} and {second}", hint="give each its own: exporter.train.separate")
            found[name] = role
            where[name] = str(node.name or node.outputs[0].name)
    return {name: role for name, role in found.items() if role is not None}


def role_at(node: ir.Node, index: int) -> Role | None:
    """The role of a node's constant input; None for shapes, indices, and numbers that are no weights."""
    value, op = node.inputs[index], node.op_type
    if value is None or value.const_value is None or value.const_value.dtype != ir.DataType.FLOAT or node.domain not in ("", "ai.onnx"):
        return None
    if op == "Conv" and index == 1:
        return _kernel(node, tuple(int(str(d)) for d in value.const_value.shape))
    if op == "ConvTranspose" and index == 1:
        return Role("back", decays=True)
    if op in _AFFINE and index > 0:
        return Role("plain", trainable=op != "BatchNormalization" or index < 3)
    bias = (op in ("Conv", "ConvTranspose", "Gemm") and index == 2) or (op == "PRelu" and index == 1) or _is_bias(node, index)
    dense = op in _DENSE and index < 2
    return Role("plain", decays=dense) if bias or dense else None


def _kernel(node: ir.Node, shape: tuple[int, ...]) -> Role:
    groups = int(attr(node, "group", 1))
    if groups > 1 and shape[1] == 1:
        return Role("depth", groups, decays=True)
    return Role("kernel", decays=True)


def _is_bias(node: ir.Node, index: int) -> bool:
    """Several numbers along one axis, right after a layer with weights: its bias or scale. Elsewhere they are the model's own
    constants, as means of pictures and grids of detectors are."""
    if node.op_type not in _ELEMENTWISE or len(node.inputs) != 2:
        return False
    value, other = node.inputs[index], node.inputs[1 - index]
    assert value is not None
    assert value.const_value is not None
    producer = None if other is None else other.producer()
    wide = [d for d in value.const_value.shape if d != 1]
    return len(wide) == 1 and producer is not None and producer.op_type in _WEIGHTED
