"""Every ONNX op that the writer knows, and the function that emits it."""

from collections.abc import Callable

import onnx_ir as ir

from exporter.formats.tflite import lower_activation as act
from exporter.formats.tflite import lower_axis as axis
from exporter.formats.tflite import lower_conv as conv
from exporter.formats.tflite import lower_dense as dense
from exporter.formats.tflite import lower_elementwise as elementwise
from exporter.formats.tflite import lower_logic as logic
from exporter.formats.tflite import lower_norm as norm
from exporter.formats.tflite import lower_pool as pool
from exporter.formats.tflite import lower_reduce as reduce
from exporter.formats.tflite import lower_reshape as reshape
from exporter.formats.tflite import lower_resize as resize
from exporter.formats.tflite.emitter import Emitter

Emit = Callable[[Emitter, ir.Node], None]

EMIT: dict[str, Emit] = {
    "Add": elementwise.emit_binary,
    "AveragePool": pool.emit_average_pool,
    "BatchNormalization": norm.emit_batch_norm,
    "Cast": logic.emit_cast,
    "Celu": act.emit_celu,
    "ChannelShuffle": reshape.emit_channel_shuffle,
    "Clip": act.emit_clip,
    "Concat": axis.emit_concat,
    "Conv": conv.emit_conv,
    "ConvTranspose": conv.emit_conv_transpose,
    "DepthToSpace": resize.emit_depth_to_space,
    "Div": elementwise.emit_binary,
    "Dropout": act.emit_identity,
    "Elu": act.emit_elu,
    "Erf": act.emit_erf,
    "Expand": elementwise.emit_expand,
    "Flatten": reshape.emit_reshape,
    "Gather": axis.emit_gather,
    "Gelu": act.emit_gelu,
    "Gemm": dense.emit_gemm,
    "GlobalAveragePool": reduce.emit_global_pool,
    "GlobalMaxPool": reduce.emit_global_pool,
    "HardSigmoid": act.emit_hard_sigmoid,
    "Identity": act.emit_identity,
    "InstanceNormalization": norm.emit_instance_norm,
    "IsNaN": logic.emit_is_nan,
    "LayerNormalization": norm.emit_layer_norm,
    "LeakyRelu": act.emit_leaky_relu,
    "LRN": norm.emit_lrn,
    "LogSoftmax": axis.emit_softmax,
    "LpNormalization": norm.emit_lp_norm,
    "MatMul": dense.emit_matmul,
    "Max": elementwise.emit_binary,
    "MaxPool": pool.emit_max_pool,
    "Min": elementwise.emit_binary,
    "Mish": act.emit_mish,
    "Mul": elementwise.emit_binary,
    "Not": logic.emit_not,
    "PRelu": act.emit_prelu,
    "Pad": axis.emit_pad,
    "Pow": elementwise.emit_pow,
    "Reciprocal": act.emit_reciprocal,
    "Relu": act.emit_relu,
    "Reshape": reshape.emit_reshape,
    "Resize": resize.emit_resize,
    "Selu": act.emit_selu,
    "Slice": axis.emit_slice,
    "Softmax": axis.emit_softmax,
    "Softplus": act.emit_softplus,
    "Softsign": act.emit_softsign,
    "SpaceToDepth": resize.emit_space_to_depth,
    "Split": axis.emit_split,
    "Squeeze": reshape.emit_reshape,
    "Sub": elementwise.emit_binary,
    "Tan": act.emit_tan,
    "ThresholdedRelu": logic.emit_thresholded_relu,
    "Tile": axis.emit_tile,
    "Transpose": reshape.emit_transpose,
    "Unsqueeze": reshape.emit_reshape,
    "Where": logic.emit_where,
    **dict.fromkeys(act.UNARY, act.emit_unary),
    **dict.fromkeys(logic.COMPARE, logic.emit_compare),
    **dict.fromkeys(reduce.REDUCE, reduce.emit_reduce),
}
