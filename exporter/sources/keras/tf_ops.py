"""Operations of TensorFlow in functional models of Keras 2: TFOpLambda and SlicingOpLambda, named by their symbol."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.sources.keras.activations import clip
from exporter.sources.keras.arithmetic import BINARY, REDUCTIONS, binary, function, matmul, normalize, numbers, reduce, variance
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler
from exporter.sources.keras.indexing import depth_to_space, expand, flip, getitem, split, squeeze, stack
from exporter.sources.keras.layout import reshape, unpack
from exporter.sources.keras.merging import chain, concatenate
from exporter.sources.keras.shaping import pad, permute, resize, target_dims
from exporter.sources.keras.tensor import RefusedError, Tensor

OPERATORS = {
    "add": "add", "__operators__.add": "add", "math.add": "add", "add_v2": "add", "subtract": "subtract", "math.subtract": "subtract",
    "__operators__.subtract": "subtract", "multiply": "multiply", "math.multiply": "multiply", "__operators__.multiply": "multiply",
    "divide": "divide", "math.divide": "divide", "math.truediv": "divide", "realdiv": "divide", "__operators__.truediv": "divide",
    "maximum": "maximum", "math.maximum": "maximum", "minimum": "minimum", "math.minimum": "minimum", "pow": "power",
    "math.pow": "power", "nn.bias_add": "add",
}  # fmt: skip
"""Symbols of two-operand operations."""

FUNCTIONS = {
    "math.negative": "negative", "negative": "negative", "math.abs": "absolute", "abs": "absolute", "math.exp": "exp",
    "math.log": "log", "math.sqrt": "sqrt", "math.reciprocal": "reciprocal", "math.floor": "floor", "math.ceil": "ceil",
    "math.sin": "sin", "math.cos": "cos", "math.erf": "erf", "nn.relu": "relu", "nn.relu6": "relu6", "nn.sigmoid": "sigmoid",
    "math.sigmoid": "sigmoid", "sigmoid": "sigmoid", "nn.tanh": "tanh", "math.tanh": "tanh", "tanh": "tanh", "nn.softplus": "softplus",
    "math.softplus": "softplus", "nn.softsign": "softsign", "nn.selu": "selu", "nn.elu": "elu", "nn.silu": "silu", "nn.swish": "silu",
    "nn.gelu": "gelu", "nn.softmax": "softmax", "nn.log_softmax": "log_softmax", "math.square": "square", "math.rsqrt": "rsqrt",
    "identity": "identity", "stop_gradient": "identity", "convert_to_tensor": "identity", "exp": "exp", "sqrt": "sqrt",
    "square": "square", "cast": "identity",
}  # fmt: skip
"""Symbols of activations and other functions of one tensor."""

REDUCED = {f"{prefix}reduce_{name}": name for prefix in ("", "math.") for name in (*REDUCTIONS, "variance")}
"""Symbols of reductions."""


def symbol_of(layer: Any) -> str:
    """The operation's name; TensorFlow's v1 spellings of the functions that we know are the same functions."""
    return str(layer.symbol).removeprefix("compat.v1.")


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a TensorFlow function by place or name."""

    call: Call

    def get(self, position: int, name: str, default: Any = None) -> Any:
        """One argument; None counts as left out."""
        args = self.call.args
        found = args[position] if position < len(args) else self.call.kwargs.get(name)
        return default if found is None else found


def _reduction(b: Builder, call: Call, args: Arguments) -> Tensor:
    name, keepdims = REDUCED[symbol_of(call.layer)], bool(args.get(2, "keepdims", False))
    if name == "variance":
        return variance(b, call.x, args.get(1, "axis"), keepdims=keepdims)
    return reduce(b, REDUCTIONS[name], call.x, args.get(1, "axis"), keepdims=keepdims)


def _std(b: Builder, call: Call, args: Arguments) -> Tensor:
    return b.map("Sqrt", variance(b, call.x, args.get(1, "axis"), keepdims=bool(args.get(2, "keepdims", False))))


def _norm(b: Builder, call: Call, args: Arguments) -> Tensor:
    if args.get(1, "ord", "euclidean") not in ("euclidean", 2):
        raise RefusedError(f"a norm of order {args.get(1, 'ord')}")
    return reduce(b, "ReduceL2", call.x, args.get(2, "axis"), keepdims=bool(args.get(3, "keepdims", False)))


def _function(b: Builder, call: Call, args: Arguments) -> Tensor:
    symbol = symbol_of(call.layer)
    if symbol == "cast" and "float" not in str(getattr(args.get(1, "dtype"), "name", args.get(1, "dtype"))):
        raise RefusedError("a cast to integers")
    options = {"axis": args.get(1, "axis"), "approximate": args.get(1, "approximate", False)}
    y = function(b, FUNCTIONS[symbol], call.x, options)
    assert y is not None
    return y


def _reshape(b: Builder, call: Call, args: Arguments) -> Tensor:
    return reshape(b, call.x, target_dims(call.x, numbers(args.get(1, "shape"))[1:]))


def _transpose(b: Builder, call: Call, args: Arguments) -> Tensor:
    perm = args.get(1, "perm")
    return permute(unpack(b, call.x), numbers(perm) if perm is not None else range(call.x.rank)[::-1])


def _split(b: Builder, call: Call, args: Arguments) -> list[Tensor]:
    parts, axis = args.get(1, "num_or_size_splits"), numbers(args.get(2, "axis", 0))[0]
    length = call.x.dims[axis]
    sizes = [length // int(parts)] * int(parts) if np.ndim(parts) == 0 else numbers(parts)
    return split(b, call.x, [length - sum(s for s in sizes if s >= 0) if s < 0 else s for s in sizes], axis)


def _pad(b: Builder, call: Call, args: Arguments) -> Tensor:
    mode = {"CONSTANT": "constant", "REFLECT": "reflect"}.get(str(args.get(2, "mode", "CONSTANT")).upper())
    if mode is None:
        raise RefusedError(f"padding mode {args.get(2, 'mode')}")
    widths = np.asarray(args.get(1, "paddings")).reshape(-1, 2).tolist()
    return pad(b, call.x, widths, mode, float(args.get(3, "constant_values", 0)))


def _resize(b: Builder, call: Call, args: Arguments) -> Tensor:
    if args.get(3, "preserve_aspect_ratio", False) or args.get(4, "antialias", False):
        raise RefusedError("a resize with antialiasing or a kept aspect ratio")
    return resize(b, call.x, numbers(args.get(1, "size")), str(args.get(2, "method", "bilinear")), (1, 2))


def _leaky(b: Builder, call: Call, args: Arguments) -> Tensor:
    return b.map("LeakyRelu", call.x, alpha=float(args.get(1, "alpha", 0.2)))


def _clip(b: Builder, call: Call, args: Arguments) -> Tensor:
    return clip(b, call.x, float(args.get(1, "clip_value_min")), float(args.get(2, "clip_value_max")))


def _matmul(b: Builder, call: Call, args: Arguments) -> Tensor:
    swap = bool(args.get(2, "transpose_a", False)), bool(args.get(3, "transpose_b", False))
    return matmul(b, args.get(0, "a"), args.get(1, "b"), swap_left=swap[0], swap_right=swap[1])


def _shape(b: Builder, call: Call, args: Arguments) -> Any:
    """The shape as plain numbers, -1 for the batch: reshapes take it back as it is."""
    return np.array([-1, *call.x.dims[1:]])


def _depth(inverse: bool) -> "TfHandler":
    def lower(b: Builder, call: Call, args: Arguments) -> Tensor:
        layout = str(args.get(2, "data_format", "NHWC"))
        return depth_to_space(b, call.x, int(args.get(1, "block_size")), inverse=inverse, data_format=layout)

    return lower


def _binary(b: Builder, call: Call, args: Arguments) -> Tensor:
    return binary(b, BINARY[OPERATORS[symbol_of(call.layer)]], args.get(0, "x"), args.get(1, "y"))


def _normalize(b: Builder, call: Call, args: Arguments) -> Tensor:
    return normalize(b, call.x, args.get(1, "axis"), float(args.get(2, "epsilon", 1e-12)))


TfHandler = Callable[[Builder, Call, Arguments], Any]

SYMBOLS: dict[str, TfHandler] = {
    **dict.fromkeys(OPERATORS, _binary),
    **dict.fromkeys(FUNCTIONS, _function),
    **dict.fromkeys(REDUCED, _reduction),
    "reshape": _reshape,
    "transpose": _transpose,
    "shape": _shape,
    "pad": _pad,
    **dict.fromkeys(("nn.l2_normalize", "math.l2_normalize", "linalg.l2_normalize"), _normalize),
    **dict.fromkeys(("linalg.matmul", "matmul"), _matmul),
    "__operators__.getitem": lambda b, call, args: getitem(b, call.x, args.get(1, "slice_spec")),
    "nn.leaky_relu": _leaky,
    "clip_by_value": _clip,
    "concat": lambda b, call, args: concatenate(b, call.tensors, numbers(args.get(1, "axis"))[0]),
    "stack": lambda b, call, args: stack(b, call.tensors, int(args.get(1, "axis", 0))),
    "split": _split,
    "math.add_n": lambda b, call, args: chain(b, "Add", call.tensors),
    "math.reduce_std": _std,
    "norm": _norm,
    "expand_dims": lambda b, call, args: expand(b, call.x, numbers(args.get(1, "axis"))[0]),
    "squeeze": lambda b, call, args: squeeze(b, call.x, args.get(1, "axis")),
    "reverse": lambda b, call, args: flip(b, call.x, numbers(args.get(1, "axis"))),
    "image.resize": _resize,
    "nn.depth_to_space": _depth(inverse=False),
    "nn.space_to_depth": _depth(inverse=True),
}
"""Symbol to its handler."""


def handler_of(layer: Any) -> Handler:
    """The handler of a TensorFlow operation; on plain numbers (parts of shapes) TensorFlow itself computes.

    Raises:
        RefusedError: If there is none.
    """

    def lower(b: Builder, call: Call) -> Any:
        if not call.tensors:
            return _on_numbers(call)
        symbol = symbol_of(layer)
        if symbol not in SYMBOLS:
            raise RefusedError("an operation without a lowering")
        return SYMBOLS[symbol](b, call, Arguments(call))

    return lower


def _on_numbers(call: Call) -> Any:
    """Shape arithmetic: one number or a vector of them."""
    if call.layer.symbol == "__operators__.getitem":
        key = call.args[1]
        key = key[0] if isinstance(key, list) and len(key) == 1 else key
        key = slice(key["start"], key["stop"], key["step"]) if isinstance(key, dict) else key
        return np.asarray(call.args[0])[key]
    return np.asarray(call.layer.function(*call.args, **call.kwargs))
