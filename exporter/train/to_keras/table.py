"""Every operator that standard Keras layers can say."""

from collections.abc import Callable

from exporter.train.call import Call
from exporter.train.to_keras import activation, arithmetic, conv, dense, moves, reduce
from exporter.train.to_keras.builder import Builder, Held

LAYERS: dict[str, Callable[[Builder, Call], Held | list[Held]]] = {
    "Abs": activation.absolute,
    "AveragePool": conv.average_pool,
    "BatchNormalization": dense.batch_norm,
    "Celu": activation.celu,
    "ChannelShuffle": moves.channel_shuffle,
    "Clip": activation.clip,
    "Concat": moves.concat,
    "Conv": conv.conv,
    "ConvTranspose": conv.conv_transpose,
    "DepthToSpace": moves.depth_to_space,
    "Elu": activation.elu,
    "Gather": moves.gather,
    "Gelu": activation.gelu,
    "Gemm": dense.gemm,
    "GroupNormalization": dense.group_norm,
    "HardSigmoid": activation.hard_sigmoid,
    "InstanceNormalization": dense.group_norm,
    "LayerNormalization": dense.layer_norm,
    "LeakyRelu": activation.leaky_relu,
    "LpNormalization": dense.lp_norm,
    "MatMul": dense.matmul,
    "MaxPool": conv.max_pool,
    "Neg": activation.negative,
    "PRelu": activation.prelu,
    "Pad": moves.pad,
    "Relu": activation.relu,
    "Resize": conv.resize,
    "Selu": activation.selu,
    "Slice": moves.slice_,
    "SpaceToDepth": moves.space_to_depth,
    "Split": moves.split,
    "Transpose": moves.transpose,
    **dict.fromkeys(("Tile", "Expand"), moves.repeat),
    **dict.fromkeys(("Identity", "Dropout"), activation.nothing),
    **dict.fromkeys(("Softmax", "LogSoftmax"), activation.softmax),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), moves.reshape),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), reduce.global_pool),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"), reduce.reduce),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"), arithmetic.binary),
    **dict.fromkeys(activation.ACTIVATIONS, activation.named),
}
"""Operator to the function that makes its layers."""
