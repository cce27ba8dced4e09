"""Operations of Keras 3: `keras.ops` and operators on symbolic tensors. Settings are attributes of the operation object."""

import re
from typing import Any

from exporter.sources.keras.activations import clip
from exporter.sources.keras.arithmetic import BINARY, REDUCTIONS, binary, function, matmul, normalize, numbers, reduce, variance
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler
from exporter.sources.keras.indexing import expand, flip, getitem, sizes_between, split, squeeze, stack
from exporter.sources.keras.layout import reshape, unpack
from exporter.sources.keras.merging import concatenate
from exporter.sources.keras.shaping import pad, permute, resize, spatial_axes, target_dims
from exporter.sources.keras.tensor import RefusedError, Tensor

ALIASES = {
    "true_divide": "divide", "amax": "max", "amin": "min", "abs": "absolute", "neg": "negative",
    "negative": "negative", "swish": "silu", "hard_swish": "hard_silu", "stop_gradient": "identity", "copy": "identity",
}  # fmt: skip
"""Other names of one operation."""


def _name(operation: Any) -> str:
    """Class name in the spelling of the tables: HardSilu -> hard_silu."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(operation).__name__).lower()
    return ALIASES.get(name, name)


def _binary(b: Builder, call: Call) -> Tensor:
    return binary(b, BINARY[_name(call.layer)], call.argument(0, "x1"), call.argument(1, "x2"))


def _reduction(b: Builder, call: Call) -> Tensor:
    axis, keepdims = getattr(call.layer, "axis", None), bool(getattr(call.layer, "keepdims", False))
    if _name(call.layer) in ("var", "std"):
        squared = variance(b, call.x, axis, keepdims=keepdims)
        return squared if _name(call.layer) == "var" else b.map("Sqrt", squared)
    return reduce(b, REDUCTIONS[_name(call.layer)], call.x, axis, keepdims=keepdims)


def _function(b: Builder, call: Call) -> Tensor:
    y = function(b, _name(call.layer), call.x, vars(call.layer))
    assert y is not None
    return y


def _reshape(b: Builder, call: Call) -> Tensor:
    shape = numbers(call.layer.newshape)
    return reshape(b, call.x, target_dims(call.x, shape[1:]))


def _transpose(b: Builder, call: Call) -> Tensor:
    axes = call.layer.axes
    return permute(unpack(b, call.x), [a % call.x.rank for a in numbers(axes)] if axes is not None else range(call.x.rank)[::-1])


def _moved(b: Builder, call: Call) -> Tensor:
    """Swapaxes and Moveaxis of one axis."""
    x, op = unpack(b, call.x), call.layer
    axes = list(range(x.rank))
    if hasattr(op, "axis1"):
        i, j = op.axis1 % x.rank, op.axis2 % x.rank
        axes[i], axes[j] = j, i
    else:
        (source,), (target,) = numbers(op.source), numbers(op.destination)
        axes.insert(target % x.rank, axes.pop(source % x.rank))
    return permute(x, axes)


def _split(b: Builder, call: Call) -> list[Tensor]:
    parts, axis = call.layer.indices_or_sections, int(call.layer.axis)
    length = call.x.dims[axis]
    return split(b, call.x, [length // parts] * parts if isinstance(parts, int) else sizes_between(numbers(parts), length), axis)


def _pad(b: Builder, call: Call) -> Tensor:
    op, x = call.layer, call.x
    if op.mode not in ("constant", "reflect", "edge"):
        raise RefusedError(f"padding mode `{op.mode}`")
    value = call.argument(1, "constant_values")
    width = op.pad_width
    widths = [(width, width)] * x.rank if isinstance(width, int) else [tuple(w) for w in width]
    return pad(b, x, widths * x.rank if len(widths) == 1 else widths, op.mode, float(value or 0))


def _clip(b: Builder, call: Call) -> Tensor:
    return clip(b, call.x, float(call.layer.x_min), float(call.layer.x_max))


def _resize(b: Builder, call: Call) -> Tensor:
    op = call.layer
    if getattr(op, "antialias", False) or getattr(op, "crop_to_aspect_ratio", False) or getattr(op, "pad_to_aspect_ratio", False):
        raise RefusedError("a resize with antialiasing or a kept aspect ratio")
    return resize(b, call.x, numbers(op.size), op.interpolation, spatial_axes(op, call.x.rank))


def _normalize(b: Builder, call: Call) -> Tensor:
    if call.layer.order != 2:
        raise RefusedError(f"a norm of order {call.layer.order}")
    return normalize(b, call.x, call.layer.axis, float(call.layer.epsilon or 1e-12))


def _cast(b: Builder, call: Call) -> Tensor:
    if "float" not in str(call.layer.dtype):
        raise RefusedError(f"a cast to {call.layer.dtype}")
    return call.x


_FUNCTIONS = (
    "negative", "absolute", "exp", "log", "sqrt", "reciprocal", "floor", "ceil", "sin", "cos", "erf", "relu", "sigmoid", "tanh",
    "softplus", "softsign", "selu", "mish", "hard_silu", "identity", "relu6", "silu", "gelu", "elu", "celu", "leaky_relu", "softmax",
    "log_softmax", "hard_sigmoid", "hard_tanh", "square", "rsqrt",
)  # fmt: skip

OPS: dict[str, Handler] = {
    **dict.fromkeys(BINARY, _binary),
    **dict.fromkeys((*REDUCTIONS, "var", "std"), _reduction),
    **dict.fromkeys(_FUNCTIONS, _function),
    "get_item": lambda b, call: getitem(b, call.x, call.argument(1, "key")),
    "reshape": _reshape,
    "transpose": _transpose,
    "swapaxes": _moved,
    "moveaxis": _moved,
    "expand_dims": lambda b, call: expand(b, call.x, numbers(call.layer.axis)[0]),
    "squeeze": lambda b, call: squeeze(b, call.x, call.layer.axis),
    "concatenate": lambda b, call: concatenate(b, call.tensors, int(call.layer.axis)),
    "stack": lambda b, call: stack(b, call.tensors, int(call.layer.axis)),
    "split": _split,
    "flip": lambda b, call: flip(b, call.x, numbers(call.layer.axis)),
    "pad": _pad,
    "clip": _clip,
    "resize": _resize,
    "normalize": _normalize,
    "cast": _cast,
    "matmul": lambda b, call: matmul(b, call.argument(0, "x1"), call.argument(1, "x2")),
}
"""Operation name to its handler."""


def handler_of(operation: Any) -> Handler:
    """The handler of an operation.

    Raises:
        RefusedError: If there is none.
    """
    name = _name(operation)
    if name in OPS:
        return OPS[name]
    raise RefusedError("an operation without a lowering")
