"""Products of matrices, and normalisations."""

import numpy as np
from keras import layers

from exporter.array import Array
from exporter.graph import const, sole_consumer
from exporter.train.call import Call, Refused
from exporter.train.to_keras.builder import Builder, Held, has


def gemm(b: Builder, call: Call) -> Held:
    """Dense."""
    node, x = call.node, b.plain(b.get(call.node.inputs[0]))
    if int(call.attr("transA", 0)):
        raise Refused("it transposes its input")
    arrays, names = b.weights(node, [1, 2] if has(node, 2) else [1])
    kernel = arrays[0].T if int(call.attr("transB", 0)) else arrays[0]
    weights = [kernel * np.float32(call.attr("alpha", 1.0))]
    if len(arrays) > 1:
        bias = arrays[1] * np.float32(call.attr("beta", 1.0))
        if bias.size > 1 and bias.shape[-1] != bias.size:
            raise Refused("its bias is a matrix")
        weights.append(np.broadcast_to(bias.reshape(-1), kernel.shape[1:]))
    units = kernel.shape[1]
    return x.like(b.apply(layers.Dense, x.value, "", weights, key=names, units=units, use_bias=len(weights) > 1))


def matmul(b: Builder, call: Call) -> Held:
    """Dense, with the bias that an Add after it holds; Dot of two computed matrices."""
    node, matrix = call.node, const(call.node.inputs[1])
    x = b.plain(b.get(node.inputs[0]))
    if matrix is None:
        y = b.plain(b.get(node.inputs[1]))
        if x.rank != 3 or y.rank != 3:
            raise Refused("it multiplies computed values of more than two axes a sample")
        return x.like(b.apply(layers.Dot, [x.value, y.value], axes=(2, 1)))
    if matrix.ndim != 2:
        raise Refused("its constant has more than two axes")
    arrays, names = b.weights(node, [1])
    after = sole_consumer(node.outputs[0])
    bias = _bias(after, node.outputs[0], matrix.shape[1]) if after is not None else None
    weights = arrays if bias is None else [*arrays, bias]
    key = names if bias is None or after is None else [*names, str(after.outputs[0].name)]
    y = x.like(b.apply(layers.Dense, x.value, "", weights, key=key, units=matrix.shape[1], use_bias=bias is not None))
    if bias is not None and after is not None:
        b.done.add(after)
        b.held[after.outputs[0]] = y
    return y


def _bias(after, product, units: int) -> Array | None:  # type: ignore[no-untyped-def]
    """The numbers of an Add that is a bias of the last axis."""
    if after.op_type != "Add":
        return None
    found = const(after.inputs[1] if after.inputs[0] is product else after.inputs[0])
    return found.reshape(-1) if found is not None and found.shape[-1:] == (units,) and found.size == units else None


def batch_norm(b: Builder, call: Call) -> Held:
    """BatchNormalization, live."""
    x = b.last(b.get(call.node.inputs[0]))
    arrays, names = b.weights(call.node, [1, 2, 3, 4])
    config = {"momentum": float(call.attr("momentum", 0.9)), "epsilon": float(call.attr("epsilon", 1e-5))}
    return x.like(b.apply(layers.BatchNormalization, x.value, "", arrays, key=names, axis=-1, **config))


def layer_norm(b: Builder, call: Call) -> Held:
    """LayerNormalization over the last axes."""
    node, x = call.node, b.plain(b.get(call.node.inputs[0]))
    if any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        raise Refused("its second or third output is used")
    arrays, names = b.weights(node, [1, 2] if has(node, 2) else [1])
    axes = list(range(int(call.attr("axis", -1)) % x.rank, x.rank))
    shape = x.sizes[axes[0] - 1 :]
    weights = [np.broadcast_to(a, shape) for a in arrays]
    config = {"epsilon": float(call.attr("epsilon", 1e-5)), "center": len(arrays) > 1}
    return x.like(b.apply(layers.LayerNormalization, x.value, "", weights, key=names, axis=axes if len(axes) > 1 else axes[0], **config))


def group_norm(b: Builder, call: Call) -> Held:
    """GroupNormalization; InstanceNormalization has a group a channel."""
    x = b.last(b.get(call.node.inputs[0]))
    arrays, names = b.weights(call.node, [1, 2])
    channels = x.sizes[-1]
    groups = channels if call.node.op_type == "InstanceNormalization" else int(call.attr("num_groups"))
    weights = [np.repeat(a, channels // len(a)) for a in arrays]
    config = {"groups": groups, "epsilon": float(call.attr("epsilon", 1e-5))}
    return x.like(b.apply(layers.GroupNormalization, x.value, "", weights, key=names, axis=-1, **config))


def lp_norm(b: Builder, call: Call) -> Held:
    """UnitNormalization."""
    x = b.get(call.node.inputs[0])
    if int(call.attr("p", 2)) != 2:
        raise Refused("Keras knows lengths by squares only")
    return x.like(b.apply(layers.UnitNormalization, x.value, axis=x.place(int(call.attr("axis", -1)))))
