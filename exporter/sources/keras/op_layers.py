"""TensorFlowOpLayer: how TensorFlow 2.0 to 2.3 stored an operation in a functional model, a NodeDef and its constants."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler
from exporter.sources.keras.tensor import RefusedError
from exporter.sources.keras.tf_ops import SYMBOLS, Arguments

Adapt = Callable[[list[Any], Any], tuple[list[Any], dict[str, Any]]]
"""Inputs and attributes of a NodeDef to the arguments of the Python function."""


@dataclass(frozen=True, slots=True)
class _Operation:
    """Stands for the layer where the handlers of `tf_ops` look at it."""

    name: str
    symbol: str


def _plain(inputs: list[Any], attrs: Any) -> tuple[list[Any], dict[str, Any]]:
    return inputs, {}


def _reduced(inputs: list[Any], attrs: Any) -> tuple[list[Any], dict[str, Any]]:
    return inputs, {"keepdims": attrs["keep_dims"].b}


def _concat(inputs: list[Any], attrs: Any) -> tuple[list[Any], dict[str, Any]]:
    return [inputs[:-1], inputs[-1]], {}


def _squeeze(inputs: list[Any], attrs: Any) -> tuple[list[Any], dict[str, Any]]:
    return inputs, {"axis": list(attrs["squeeze_dims"].list.i) or None}


def _block(inputs: list[Any], attrs: Any) -> tuple[list[Any], dict[str, Any]]:
    return [*inputs, int(attrs["block_size"].i), attrs["data_format"].s.decode() or "NHWC"], {}


def _leaky(inputs: list[Any], attrs: Any) -> tuple[list[Any], dict[str, Any]]:
    return [*inputs, float(attrs["alpha"].f)], {}


def _bilinear(inputs: list[Any], attrs: Any) -> tuple[list[Any], dict[str, Any]]:
    if not attrs["half_pixel_centers"].b:
        raise RefusedError("the resize of TensorFlow 1, whose pixel centres lie elsewhere")
    return [*inputs, "bilinear"], {}


def _strided_slice(inputs: list[Any], attrs: Any) -> tuple[list[Any], dict[str, Any]]:
    """Begin, end, strides and bit masks as Python's slices."""
    x, *bounds = inputs
    masks = {k: int(attrs[f"{k}_mask"].i) for k in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    key: list[Any] = []
    for i, (start, stop, step) in enumerate(zip(*(np.ravel(np.asarray(v)).tolist() for v in bounds), strict=True)):
        bit = {k: bool(m >> i & 1) for k, m in masks.items()}
        if bit["ellipsis"] or bit["new_axis"]:
            key.append(... if bit["ellipsis"] else None)
        elif bit["shrink_axis"]:
            key.append(start)
        else:
            key.append(slice(None if bit["begin"] else start, None if bit["end"] else stop, step))
    return [x, key], {}


OPERATIONS: dict[str, tuple[str, Adapt]] = {
    "Add": ("math.add", _plain), "AddV2": ("math.add", _plain), "Sub": ("math.subtract", _plain), "Mul": ("math.multiply", _plain),
    "RealDiv": ("math.truediv", _plain), "Maximum": ("math.maximum", _plain), "Minimum": ("math.minimum", _plain),
    "Pow": ("math.pow", _plain), "BiasAdd": ("math.add", _plain), "Relu": ("nn.relu", _plain), "Relu6": ("nn.relu6", _plain),
    "LeakyRelu": ("nn.leaky_relu", _leaky), "Elu": ("nn.elu", _plain), "Selu": ("nn.selu", _plain), "Sigmoid": ("math.sigmoid", _plain),
    "Tanh": ("math.tanh", _plain), "Softplus": ("nn.softplus", _plain), "Softmax": ("nn.softmax", _plain), "Exp": ("math.exp", _plain),
    "Log": ("math.log", _plain), "Sqrt": ("math.sqrt", _plain), "Rsqrt": ("math.rsqrt", _plain), "Square": ("math.square", _plain),
    "Neg": ("math.negative", _plain), "Abs": ("math.abs", _plain), "Identity": ("identity", _plain),
    "Mean": ("math.reduce_mean", _reduced), "Sum": ("math.reduce_sum", _reduced), "Max": ("math.reduce_max", _reduced),
    "Min": ("math.reduce_min", _reduced), "Reshape": ("reshape", _plain), "Transpose": ("transpose", _plain), "Pad": ("pad", _plain),
    "ConcatV2": ("concat", _concat), "ExpandDims": ("expand_dims", _plain), "Squeeze": ("squeeze", _squeeze),
    "StridedSlice": ("__operators__.getitem", _strided_slice), "DepthToSpace": ("nn.depth_to_space", _block),
    "SpaceToDepth": ("nn.space_to_depth", _block), "ResizeBilinear": ("image.resize", _bilinear), "MatMul": ("linalg.matmul", _plain),
}  # fmt: skip
"""NodeDef operation to the symbol of its function, and how its inputs become arguments."""


def _op_layer(b: Builder, call: Call) -> Any:
    node, constants = call.layer.node_def, call.layer.constants
    if node.op not in OPERATIONS:
        raise RefusedError(f"operation {node.op} has no lowering")
    inputs: list[Any] = list(call.tensors)
    for index in sorted(constants):
        inputs.insert(index, constants[index])
    symbol, adapt = OPERATIONS[node.op]
    args, kwargs = adapt(inputs, node.attr)
    adapted = Call(_Operation(call.layer.name, symbol), args, kwargs)
    return SYMBOLS[symbol](b, adapted, Arguments(adapted))


LAYERS: dict[str, Handler] = {"TensorFlowOpLayer": _op_layer}
"""Layer class name to its handler."""
