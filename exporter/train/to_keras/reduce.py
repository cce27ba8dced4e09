"""Means, sums, greatest and least values: global pools."""

from typing import Any

import numpy as np
from keras import layers

from exporter.graph import const
from exporter.train.call import Call, Refused
from exporter.train.to_keras.arithmetic import rescaled
from exporter.train.to_keras.builder import Builder, Held


def global_pool(b: Builder, call: Call) -> Held:
    """Over all spatial axes."""
    x = b.last(b.get(call.node.inputs[0]))
    kind = "Average" if call.node.op_type == "GlobalAveragePool" else "Max"
    return x.like(b.apply(getattr(layers, f"Global{kind}Pooling{x.rank - 2}D"), x.value, keepdims=True))


def reduce(b: Builder, call: Call) -> Held:
    """ReduceMean, ReduceSum, ReduceMax, ReduceMin over any axes of a sample."""
    x, named = b.get(call.node.inputs[0]), const(call.node.inputs[1] if len(call.node.inputs) > 1 else None)
    axes = call.attr("axes", ()) if named is None else named.tolist()
    over = {int(a) % x.rank for a in axes}
    if not over or 0 in over:
        raise Refused("it reduces the batch")
    keep = bool(call.attr("keepdims", 1))
    if x.rank == 4 and keep and over == {2, 3}:
        x = b.last(x)
        return x.like(_of(b, call.node.op_type, x.value, 2, int(np.prod(x.sizes[:2])), keepdims=True))
    left = tuple(a for a in x.axes if a not in over)
    moved = b.to(x, (0, *(a for a in x.axes if a in over), *left[1:]))
    count = int(np.prod(moved.sizes[: len(over)]))
    rows = b.reshape(moved.value, (count, int(np.prod(moved.sizes[len(over) :], dtype=int))), "_rows")
    y, sizes = _of(b, call.node.op_type, rows, 1, count), moved.sizes[len(over) :]
    if keep:
        order = (0, *sorted(over), *left[1:])
        return Held(b.reshape(y, (*[1] * len(over), *sizes), "_out"), order)
    kept = sorted(left)
    return Held(b.reshape(y, sizes, "_out"), tuple(kept.index(a) for a in left))


def _of(b: Builder, op: str, value: Any, rank: int, count: int, **config: Any) -> Any:
    minus = np.array(-1.0)
    if op == "ReduceMin":
        value = rescaled(b, value, scale=minus, suffix="_neg")
    kind = {"ReduceMean": "Average", "ReduceSum": "Average", "ReduceMax": "Max", "ReduceMin": "Max"}[op]
    y = b.apply(getattr(layers, f"Global{kind}Pooling{rank}D"), value, "", **config)
    if op == "ReduceSum":
        return rescaled(b, y, scale=np.array(float(count)), suffix="_sum")
    return rescaled(b, y, scale=minus, suffix="_back") if op == "ReduceMin" else y
