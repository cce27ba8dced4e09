"""What each int8 operator should give: integer sums in numpy, one multiplication by the exact ratio of scales, one rounding.

Works on a written file itself: its weights, scales and settings as they are stored, its operators' inputs as the engine had them.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array

_ACTIVATIONS = {0: (-np.inf, np.inf), 1: (0.0, np.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
_SAME = 0


@dataclass(frozen=True)
class Stored:
    """A tensor of the file after an inference: numbers, and what they stand for."""

    numbers: Array
    scale: Array
    zero: Array
    axis: int

    @property
    def real(self) -> Array:
        """(q - z) s in float64; other types as they are."""
        if self.scale.size == 0:
            return self.numbers.astype(np.float64)
        shape = [-1 if self.scale.size > 1 and i == self.axis else 1 for i in range(self.numbers.ndim)]
        return (self.numbers.astype(np.int64) - self.zero.reshape(shape)) * self.scale.astype(np.float64).reshape(shape)

    @property
    def centred(self) -> Array:
        """q - z of a tensor of one scale."""
        return self.numbers.astype(np.int64) - int(self.zero[0])

    def nearest(self, real: Array) -> Array:
        """Reals as this tensor stores them."""
        return np.clip(np.rint(real / float(self.scale[0])) + int(self.zero[0]), -128, 127)


@dataclass(frozen=True)
class Operator:
    """An operator of the file with the engine's numbers."""

    kind: str
    options: Any
    inputs: list[Stored]
    outputs: list[Stored]


def operators(path: Path, feeds: dict[str, Array]) -> list[Operator]:
    """Run the file on the plain kernels and take everything it computed."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    engine = Interpreter(
        str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, experimental_preserve_all_tensors=True
    )
    engine.allocate_tensors()
    for detail in engine.get_input_details():
        engine.set_tensor(detail["index"], feeds[detail["name"]])
    engine.invoke()
    details = {d["index"]: d for d in engine.get_tensor_details()}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}

    def stored(index: int) -> Stored:
        found = details[index]["quantization_parameters"]
        axis = found["quantized_dimension"]
        return Stored(engine.get_tensor(index), found["scales"], found["zero_points"].astype(np.int64), axis)

    return [
        Operator(names[model.operatorCodes[op.opcodeIndex].builtinCode], op.builtinOptions, [stored(i) for i in op.inputs],
                 [stored(i) for i in op.outputs])
        for op in model.subgraphs[0].operators
    ]  # fmt: skip


def expected(op: Operator) -> list[Array]:
    """The numbers that the operator should give."""
    return EMULATE[op.kind](op)


def _activated(op: Operator, real: Array) -> Array:
    low, high = _ACTIVATIONS[getattr(op.options, "fusedActivationFunction", 0)]
    return op.outputs[0].nearest(np.clip(real, low, high))


# -- sums of products
def _windows(x: Array, kernel: tuple[int, int], op: Operator) -> Array:
    """(height, width, kh, kw, channels) of what each output place sees; zeros beyond the edge."""
    o, size = op.options, x.shape[1:3]
    dilation = (getattr(o, "dilationHFactor", 1), getattr(o, "dilationWFactor", 1))
    stride, out = (o.strideH, o.strideW), op.outputs[0].numbers.shape[1:3]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    total = [max((b - 1) * s + r - a, 0) for a, b, s, r in zip(size, out, stride, reach, strict=True)]
    pads = [(t // 2, t - t // 2) if o.padding == _SAME else (0, 0) for t in total]
    wide = np.pad(x[0], (*pads, (0, 0)))
    places = [np.arange(b)[:, None] * s + np.arange(k)[None] * d for b, s, k, d in zip(out, stride, kernel, dilation, strict=True)]
    return wide[places[0][:, None, :, None], places[1][None, :, None, :]]


def _scaled(op: Operator, total: Array, x: Stored, w: Stored) -> list[Array]:
    return [_activated(op, total * (float(x.scale[0]) * w.scale.astype(np.float64)))]


def _conv(op: Operator) -> list[Array]:
    x, w, b = op.inputs
    kernel = w.numbers.astype(np.int64)
    seen, groups = _windows(x.centred, kernel.shape[1:3], op), x.numbers.shape[-1] // kernel.shape[3]
    parts = [
        np.einsum("hwklc,oklc->hwo", s, k) for s, k in zip(np.split(seen, groups, axis=-1), np.split(kernel, groups, axis=0), strict=True)
    ]
    return _scaled(op, np.concatenate(parts, axis=-1)[None] + b.numbers, x, w)


def _depthwise(op: Operator) -> list[Array]:
    x, w, b = op.inputs
    kernel = w.numbers[0].astype(np.int64)
    seen = _windows(x.centred, kernel.shape[:2], op)
    return _scaled(op, np.einsum("hwklc,klc->hwc", np.repeat(seen, op.options.depthMultiplier, axis=-1), kernel)[None] + b.numbers, x, w)


def _dense(op: Operator) -> list[Array]:
    x, w, b = op.inputs
    total = x.centred @ w.numbers.astype(np.int64).T + b.numbers
    return _scaled(op, total.reshape(op.outputs[0].numbers.shape), x, w)


def _transpose_conv(op: Operator) -> list[Array]:
    _, w, x, b = op.inputs
    kernel, (_, h, width, _) = w.numbers.astype(np.int64), x.numbers.shape
    stride, out = (op.options.strideH, op.options.strideW), op.outputs[0].numbers.shape
    full = np.zeros(((h - 1) * stride[0] + kernel.shape[1], (width - 1) * stride[1] + kernel.shape[2], out[3]), np.int64)
    for i, j in itertools.product(range(h), range(width)):
        top, left = i * stride[0], j * stride[1]
        full[top : top + kernel.shape[1], left : left + kernel.shape[2]] += np.einsum("c,oklc->klo", x.centred[0, i, j], kernel)
    begin = [max(f - o, 0) // 2 if op.options.padding == _SAME else 0 for f, o in zip(full.shape, out[1:3], strict=False)]
    cut = full[begin[0] : begin[0] + out[1], begin[1] : begin[1] + out[2]]
    return _scaled(op, cut[None] + b.numbers, x, w)


def _matmul(op: Operator) -> list[Array]:
    a, b = (np.swapaxes(t.centred, -1, -2) if flip else t.centred
            for t, flip in zip(op.inputs, (op.options.adjX, op.options.adjY), strict=True))  # fmt: skip
    return [_activated(op, (a @ b) * (float(op.inputs[0].scale[0]) * float(op.inputs[1].scale[0])))]


# -- functions of reals
def _binary(function: Callable[[Array, Array], Array]) -> Callable[[Operator], list[Array]]:
    return lambda op: [_activated(op, function(op.inputs[0].real, op.inputs[1].real))]


def _unary(function: Callable[[Array], Array]) -> Callable[[Operator], list[Array]]:
    return lambda op: [op.outputs[0].nearest(function(op.inputs[0].real))]


def _reduced(function: Callable[..., Array]) -> Callable[[Operator], list[Array]]:
    return lambda op: [
        op.outputs[0].nearest(function(op.inputs[0].real, axis=tuple(op.inputs[1].numbers.ravel()), keepdims=bool(op.options.keepDims)))
    ]


def _softmax(x: Array) -> Array:
    grown = np.exp(x - x.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def _leaky(op: Operator) -> list[Array]:
    x = op.inputs[0].real
    return [op.outputs[0].nearest(np.where(x < 0, x * op.options.alpha, x))]


def _prelu(op: Operator) -> list[Array]:
    x = op.inputs[0].real
    return [op.outputs[0].nearest(np.where(x < 0, x * op.inputs[1].real, x))]


# -- the same numbers elsewhere
def _max_pool(op: Operator) -> list[Array]:
    lowest = op.inputs[0].centred + 512  # so that what lies beyond the edge, 0, is never the largest
    return [(_windows(lowest, (op.options.filterHeight, op.options.filterWidth), op).max(axis=(2, 3)) - 512 + op.inputs[0].zero)[None]]


def _pad(op: Operator) -> list[Array]:
    value = int(op.inputs[2].numbers.ravel()[0]) if len(op.inputs) > 2 else int(op.inputs[0].zero[0])
    return [np.pad(op.inputs[0].numbers, op.inputs[1].numbers, constant_values=value)]


def _slice(op: Operator) -> list[Array]:
    begin, size = op.inputs[1].numbers, op.inputs[2].numbers
    return [op.inputs[0].numbers[tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))]]


EMULATE: dict[str, Callable[[Operator], list[Array]]] = {
    "CONV_2D": _conv, "DEPTHWISE_CONV_2D": _depthwise, "FULLY_CONNECTED": _dense, "TRANSPOSE_CONV": _transpose_conv,
    "BATCH_MATMUL": _matmul, "ADD": _binary(np.add), "SUB": _binary(np.subtract), "MUL": _binary(np.multiply),
    "MAXIMUM": _binary(np.maximum), "MINIMUM": _binary(np.minimum), "MEAN": _reduced(np.mean), "SUM": _reduced(np.sum),
    "REDUCE_MAX": _reduced(np.max), "REDUCE_MIN": _reduced(np.min), "LOGISTIC": _unary(lambda x: 1 / (1 + np.exp(-x))),
    "TANH": _unary(np.tanh), "SOFTMAX": _unary(_softmax), "LOG_SOFTMAX": _unary(lambda x: np.log(_softmax(x))),
    "ABS": _unary(np.abs), "EXP": _unary(np.exp), "ELU": _unary(lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x)),
    "QUANTIZE": _unary(lambda x: x), "LEAKY_RELU": _leaky, "PRELU": _prelu, "MAX_POOL_2D": _max_pool, "PAD": _pad, "PADV2": _pad,
    "CONCATENATION": lambda op: [np.concatenate([t.numbers for t in op.inputs], axis=op.options.axis)],
    "RESHAPE": lambda op: [op.inputs[0].numbers.reshape(op.outputs[0].numbers.shape)],
    "TRANSPOSE": lambda op: [op.inputs[0].numbers.transpose(op.inputs[1].numbers)],
    "SPLIT": lambda op: np.split(op.inputs[1].numbers, len(op.outputs), axis=int(op.inputs[0].numbers)),
    "GATHER": lambda op: [np.take(op.inputs[0].numbers, op.inputs[1].numbers, axis=op.options.axis)],
    "SLICE": _slice,
}  # fmt: skip
"""Operator to its emulation."""
