"""Every operator that the bridge knows."""

from collections.abc import Callable

from exporter.train import op_activation as act
from exporter.train import op_axis as axis
from exporter.train import op_conv, op_dense, op_elementwise, op_moves, op_norm, op_pool, op_reduce, op_resize
from exporter.train.call import Call, Carried

OPS: dict[str, Callable[[Call], Carried | list[Carried]]] = {
    "AveragePool": op_pool.average_pool,
    "BatchNormalization": op_norm.batch_norm,
    "Cast": act.cast,
    "Celu": act.celu,
    "ChannelShuffle": op_moves.channel_shuffle,
    "Clip": act.clip,
    "Concat": axis.concat,
    "Conv": op_conv.conv,
    "ConvTranspose": op_conv.conv_transpose,
    "DepthToSpace": op_moves.depth_to_space,
    "Elu": act.elu,
    "Expand": op_moves.expand,
    "Gather": axis.gather,
    "Gelu": act.gelu,
    "Gemm": op_dense.gemm,
    "GroupNormalization": op_norm.group_norm,
    "HardSigmoid": act.hard_sigmoid,
    "InstanceNormalization": op_norm.instance_norm,
    "LRN": op_norm.lrn,
    "LayerNormalization": op_norm.layer_norm,
    "LeakyRelu": act.leaky_relu,
    "LpNormalization": op_norm.lp_norm,
    "MatMul": op_dense.matmul,
    "MaxPool": op_pool.max_pool,
    "PRelu": act.prelu,
    "Pad": axis.pad,
    "Resize": op_resize.resize,
    "Selu": act.selu,
    "Slice": axis.slice_,
    "SpaceToDepth": op_moves.space_to_depth,
    "Split": axis.split,
    "ThresholdedRelu": act.thresholded_relu,
    "Tile": op_moves.tile,
    "Transpose": op_moves.transpose,
    "Where": op_elementwise.where,
    **dict.fromkeys(("Softmax", "LogSoftmax"), act.softmax),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), op_moves.reshape),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), op_reduce.global_pool),
    **dict.fromkeys(act.UNARY, act.unary),
    **dict.fromkeys(op_elementwise.BINARY, op_elementwise.binary),
    **dict.fromkeys(op_reduce.REDUCE, op_reduce.reduce),
}
"""Operator to the function that computes it."""
