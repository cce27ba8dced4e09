"""Convolutions, transposed convolutions and dense layers."""

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.ncnn.emitter import Emitter, UnsupportedError, constants, dims
from exporter.formats.ncnn.int8 import offer, wrong_in_groups
from exporter.formats.ncnn.layer import Blob, Param, Weight, raw
from exporter.graph import attr, const, const_input, shape_of, sole_consumer

Load = Callable[[], Array]


def emit_conv(e: Emitter, node: ir.Node) -> None:
    """Convolution, ConvolutionDepthWise (any number of groups), or their 1-D forms."""
    x, y = node.inputs[0], node.outputs[0]
    group = int(attr(node, "group", 1))
    weight, shape = _weight(node)
    bias = _bias(node, 2)
    kernel, strides, dilations, pads = _window(node, shape[2:])
    if group == 1 and _is_vector(e, x) and not any(pads) and math.prod(kernel) == 1:
        e.put(y, dense(e, e.blob(x), Weight(weight, tagged=True), bias, (shape[0], shape[1])))
        offer(e, node, axis=0)
        return
    if group > 1 and shape[1] > 1:
        e.note(f"{group} groups of {shape[1]} channels: each group runs as a convolution of its own")
    each = shape[0] // group
    if wrong_in_groups(group, shape[1], each):
        e.note(f"stays float in int8 files: ncnn's int8 gives garbage for groups of {each} outputs, a multiple of 8")
    wide = len(kernel) == 1 and e.rounded_input(node) is not None
    if wide:  # ncnn's 1-D convolutions know no int8: a map of one row
        kernel, strides, dilations, pads = (1, *kernel), (1, *strides), (1, *dilations), (0, pads[0], 0, pads[1])
    params: dict[int, Param] = {0: shape[0], 5: int(bias is not None), 6: math.prod(shape)}
    if group > 1:
        params[7] = group
    params |= _axes(kernel, strides, dilations, pads)
    kind = ("ConvolutionDepthWise" if group > 1 else "Convolution") + ("1D" if len(kernel) == 1 else "")
    source, out = (_as_row(e, x), _row(dims(y))) if wide else (e.shaped(x), dims(y))
    e.put(y, e.emit(kind, [source], out, params, _blocks(weight, bias)))
    if not wrong_in_groups(group, shape[1], each):
        offer(e, node, axis=0, share=each if group > 1 else 1)


def _as_row(e: Emitter, value: ir.Value | None) -> Blob:
    assert value is not None
    return e.reshaped(e.blob(value), _row(dims(value)))


def _row(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C, W) as a map of one row."""
    return (shape[0], 1, shape[1])


def emit_conv_transpose(e: Emitter, node: ir.Node) -> None:
    """Deconvolution, DeconvolutionDepthWise, or their 1-D forms."""
    x, y = node.inputs[0], node.outputs[0]
    group = int(attr(node, "group", 1))
    weight, shape = _weight(node)
    inputs, outputs = shape[0] // group, shape[1]
    bias = _bias(node, 2)
    kernel, strides, dilations, pads = _window(node, shape[2:])
    extra = tuple(int(p) for p in attr(node, "output_padding", (0,) * len(kernel)))
    if attr(node, "output_shape") is not None:
        raise UnsupportedError("output_shape is not resolved to pads")
    if any(b < 0 for b in pads):
        raise UnsupportedError(f"has negative pads {list(pads)}")
    if group > 1 and (inputs > 1 or outputs > 1):
        e.note(f"{group} groups of {inputs} channels: each group runs as a transposed convolution of its own")
    e.note("stays float in int8 files: ncnn has no transposed convolution in int8")
    params: dict[int, Param] = {0: outputs * group, 5: int(bias is not None), 6: math.prod(shape), 18: extra[-1]}
    if group > 1:
        params[7] = group
    if len(kernel) == 2:
        params[19] = extra[0]
    params |= _axes(kernel, strides, dilations, pads)
    kind = ("DeconvolutionDepthWise" if group > 1 else "Deconvolution") + ("1D" if len(kernel) == 1 else "")

    def outputs_first() -> Array:
        parts = weight().reshape(group, inputs, outputs, *kernel)
        return parts.swapaxes(1, 2)

    e.put(y, e.emit(kind, [e.shaped(x)], dims(y), params, _blocks(outputs_first, bias)))


def emit_gemm(e: Emitter, node: ir.Node) -> None:
    """InnerProduct, which flattens its input itself."""
    if attr(node, "transA", 0):
        raise UnsupportedError("transposes its input, the batch with it")
    matrix = node.inputs[1]
    if matrix is None or const(matrix) is None:
        raise UnsupportedError("its weights are computed, not constant")
    alpha, beta = float(attr(node, "alpha", 1.0)), float(attr(node, "beta", 1.0))
    turned = bool(attr(node, "transB", 0))
    shape = shape_of(matrix) if turned else shape_of(matrix)[::-1]

    def rows() -> Array:
        array = constants(node, 1, "weights")
        array = array if turned else array.T
        return array if alpha == 1 else array * np.float32(alpha)

    bias = _bias(node, 2)
    if bias is not None:
        bias = np.broadcast_to(bias.reshape(-1) if bias.size == max(bias.shape, default=1) else bias, (shape[0],)) * np.float32(beta)
    e.put(node.outputs[0], dense(e, _flat(e, node.inputs[0]), Weight(rows, tagged=True), bias, (shape[0], shape[1])))
    if alpha == 1:
        offer(e, node, axis=0 if turned else 1)


def emit_matmul(e: Emitter, node: ir.Node) -> None:
    """InnerProduct over the rows for a constant matrix on the right, else MatMul."""
    a, b = node.inputs
    if a is None or b is None:
        raise UnsupportedError("an input is missing")
    if const(a) is None and const(b) is not None and _is_matrix(shape_of(b)):
        _rows_times_matrix(e, node, a, b)
        return
    x, y = _operand(e, a, dims(node.outputs[0])), _operand(e, b, dims(node.outputs[0]))
    e.put(node.outputs[0], e.emit("MatMul", [x, y], dims(node.outputs[0])))


def _is_matrix(shape: tuple[int, ...]) -> bool:
    return len(shape) >= 2 and all(n == 1 for n in shape[:-2])


def _rows_times_matrix(e: Emitter, node: ir.Node, a: ir.Value, b: ir.Value) -> None:
    inputs, outputs = shape_of(b)[-2:]
    out, bias, bias_name = node.outputs[0], None, None
    after = sole_consumer(out)
    if after is not None and after.op_type == "Add":
        bias = _row_bias(after, out, outputs)
        if bias is not None:
            e.absorbed.add(after)
            bias_name = next(v.name for v in after.inputs if v is not None and v is not out)
            out = after.outputs[0]
    rows = math.prod(dims(a)) // inputs
    if rows > 1:
        e.note(f"int8 is slower than float here: ncnn multiplies {rows} rows by one kernel for single rows")
    x = _flat(e, a) if rows == 1 else e.reshaped(e.blob(a), (rows, inputs))

    def matrix() -> Array:
        return constants(node, 1, "weights").reshape(inputs, outputs).T

    e.put(out, dense(e, x, Weight(matrix, tagged=True), bias, (outputs, inputs), rows=rows))
    offer(e, node, axis=len(shape_of(b)) - 1, bias=bias_name)


def _row_bias(add: ir.Node, product: ir.Value, outputs: int) -> Array | None:
    """The constant that an Add puts on every row of a product."""
    other = const(add.inputs[1] if add.inputs[0] is product else add.inputs[0])
    if other is None or other.size != outputs or (other.shape or (1,))[-1] != outputs or dims(add.outputs[0]) != dims(product):
        return None
    return other.reshape(-1)


def _operand(e: Emitter, value: ir.Value, out: tuple[int, ...]) -> Blob:
    """An operand of MatMul with as many axes as the product, the batch left out."""
    array = const(value)
    if array is None:
        shape = dims(value)
        return e.reshaped(e.blob(value), (1,) * (len(out) - len(shape)) + shape)
    while array.ndim > len(out) and array.shape[0] == 1:
        array = array[0]
    if array.ndim > len(out) or array.ndim < 2:
        raise UnsupportedError(f"a constant operand of shape {list(array.shape)} does not fit a product of {len(out)} axes")
    return e.constant(array.reshape((1,) * (len(out) - array.ndim) + array.shape))


def dense(e: Emitter, x: Blob, weight: Weight, bias: Array | None, shape: tuple[int, int], *, rows: int = 1) -> Blob:
    """InnerProduct on a flat blob, or on a matrix of `rows` rows; weights [outputs, inputs]."""
    params: dict[int, Param] = {0: shape[0], 1: int(bias is not None), 2: shape[0] * shape[1]}
    out = (shape[0],) if rows == 1 else (rows, shape[0])
    return e.emit("InnerProduct", [x], out, params, [weight, *([] if bias is None else [raw(bias)])])


def _flat(e: Emitter, value: ir.Value | None) -> Blob:
    """The value as a blob that InnerProduct takes for one vector: it reads two axes as rows."""
    x = e.blob(value)
    return e.reshaped(x, (math.prod(x.shape),)) if len(x.shape) in (2, 4) else x


def _is_vector(e: Emitter, value: ir.Value | None) -> bool:
    """(C, 1, 1) or (C, 1) kept as a vector."""
    shape = e.blob(value).shape
    return value is not None and len(shape) == 1 and dims(value)[0] == shape[0]


def _weight(node: ir.Node) -> tuple[Load, tuple[int, ...]]:
    value = node.inputs[1]
    if value is None or const(value) is None:
        raise UnsupportedError("its weights are computed, not constant")
    if len(shape_of(value)) not in (3, 4):
        raise UnsupportedError(f"works on {len(shape_of(value)) - 2} spatial axes, this writer knows one and two")
    return (lambda: constants(node, 1, "weights")), shape_of(value)


def _bias(node: ir.Node, index: int) -> Array | None:
    if index < len(node.inputs) and node.inputs[index] is not None and const_input(node, index) is None:
        raise UnsupportedError("its bias is computed, not constant")
    return const_input(node, index)


def _blocks(weight: Load, bias: Array | None) -> list[Weight]:
    return [Weight(weight, tagged=True), *([] if bias is None else [raw(bias)])]


def _window(node: ir.Node, kernel: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Kernel, strides, dilations and pads (all begins, then all ends)."""
    if attr(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID", b"NOTSET", b"VALID"):
        raise UnsupportedError("auto_pad is not resolved to pads")
    ones = (1,) * len(kernel)
    return kernel, attr(node, "strides", ones), attr(node, "dilations", ones), attr(node, "pads", (0,) * (2 * len(kernel)))


def _axes(kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...], pads: tuple[int, ...]) -> dict[int, Param]:
    """Parameters of the window: w is the last axis, h the one before it."""
    n = len(kernel)
    params: dict[int, Param] = {1: kernel[-1], 2: dilations[-1], 3: strides[-1], 4: pads[n - 1], 15: pads[-1]}
    if n == 2:
        params |= {11: kernel[0], 12: dilations[0], 13: strides[0], 14: pads[0], 16: pads[2]}
    return params
