"""Every operator that the ncnn writer knows."""

from collections.abc import Callable

import onnx_ir as ir

from exporter.formats.ncnn import compare, convolution, elementwise, normalise, pooling, resize, shape, slicing
from exporter.formats.ncnn.emitter import Emitter

OPS: dict[str, Callable[[Emitter, ir.Node], None]] = {
    "Conv": convolution.emit_conv,
    "ConvTranspose": convolution.emit_conv_transpose,
    "Gemm": convolution.emit_gemm,
    "MatMul": convolution.emit_matmul,
    "MaxPool": pooling.emit_pool,
    "AveragePool": pooling.emit_pool,
    "GlobalAveragePool": pooling.emit_global,
    "GlobalMaxPool": pooling.emit_global,
    "BatchNormalization": elementwise.emit_batch_norm,
    "PRelu": elementwise.emit_prelu,
    "LeakyRelu": elementwise.emit_leaky_relu,
    "Clip": elementwise.emit_clip,
    "Elu": elementwise.emit_elu,
    "Celu": elementwise.emit_celu,
    "Selu": elementwise.emit_selu,
    "Gelu": elementwise.emit_gelu,
    "HardSigmoid": elementwise.emit_hard_sigmoid,
    "HardSwish": elementwise.emit_hard_swish,
    "Softplus": elementwise.emit_softplus,
    "Softsign": elementwise.emit_softsign,
    "Softmax": normalise.emit_softmax,
    "LogSoftmax": normalise.emit_log_softmax,
    "LayerNormalization": normalise.emit_layer_norm,
    "InstanceNormalization": normalise.emit_instance_norm,
    "GroupNormalization": normalise.emit_group_norm,
    "LRN": normalise.emit_lrn,
    "LpNormalization": normalise.emit_lp_normalisation,
    "Where": compare.emit_where,
    "Cast": compare.emit_cast,
    "ThresholdedRelu": compare.emit_thresholded_relu,
    "Resize": resize.emit_resize,
    "Concat": shape.emit_concat,
    "Split": slicing.emit_split,
    "Slice": slicing.emit_slice,
    "Gather": slicing.emit_gather,
    "Pad": shape.emit_pad,
    "Transpose": shape.emit_transpose,
    "Expand": shape.emit_expand,
    "Tile": shape.emit_expand,
    "DepthToSpace": shape.emit_depth_to_space,
    "SpaceToDepth": shape.emit_space_to_depth,
    "ChannelShuffle": shape.emit_channel_shuffle,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"), shape.emit_alias),
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"), compare.emit_comparison),
    **dict.fromkeys(("And", "Or", "Xor", "Not"), compare.emit_logic),
    **dict.fromkeys(elementwise.BINARY, elementwise.emit_binary),
    **dict.fromkeys(elementwise.UNARY, elementwise.emit_unary),
    **dict.fromkeys(elementwise.PLAIN, elementwise.emit_plain),
    **dict.fromkeys(normalise.REDUCE, normalise.emit_reduce),
}
"""Operator to the function that emits its layers."""
