"""Operators along axes: joining, splitting, taking, padding."""

from typing import Any

import numpy as np
import tensorflow as tf

from exporter.array import Array
from exporter.train.call import Call, Carried, Refused


def concat(call: Call) -> Carried:
    """Concat, in the layout of the first computed operand."""
    first = next((x for x in call.operands if isinstance(x, Carried)), None) or call.tensor()
    parts = [call.tensor(i).to(first.axes).value for i in range(len(call.operands))]
    return first.like(tf.concat(parts, first.place(int(call.attr("axis")))))


def split(call: Call) -> list[Carried]:
    """Split, equal or not."""
    x, axis = call.tensor(), int(call.attr("axis", 0))
    sizes = [call.shape_out(i)[axis % x.rank] for i in range(len(call.node.outputs))]
    return [x.like(part) for part in tf.split(x.value, sizes, x.place(axis))]


def slice_(call: Call) -> Carried:
    """Slice with constant limits."""
    x, shape = call.tensor(), call.shape_in()
    starts, ends, named, steps = (call.const(i) for i in range(1, 5))
    if starts is None or ends is None:
        raise Refused("its limits are missing")
    axes = range(len(starts)) if named is None else [int(a) % x.rank for a in named]
    cut = [slice(None)] * x.rank
    for i, axis in enumerate(axes):
        low, high, step = slice(_open(starts[i]), _open(ends[i]), 1 if steps is None else int(steps[i])).indices(shape[axis])
        cut[x.place(axis)] = slice(low, None if high < 0 else high, step)
    return x.like(x.value[tuple(cut)])


def _open(limit: Any) -> int:
    return int(np.clip(int(limit), -(2**31), 2**31 - 1))


def gather(call: Call) -> Carried:
    """Gather by constant indices."""
    x, index = call.tensor(), call.const(1)
    if index is None:
        raise Refused("its indices are missing")
    axis = int(call.attr("axis", 0)) % x.rank
    chosen = np.asarray(index) % call.shape_in()[axis]
    y = taken(x.value, chosen, x.place(axis))
    more = chosen.ndim - 1
    names = [[a if a < axis else a + more] if a != axis else list(range(axis, axis + chosen.ndim)) for a in x.axes]
    return Carried(y, tuple(a for group in names for a in group))


def taken(x: Any, index: Array, place: int) -> Any:
    """Elements of one physical axis: a slice where they are side by side."""
    if index.ndim == 1 and len(index) and np.array_equal(index, np.arange(index[0], index[0] + len(index))):
        return x[(slice(None),) * place + (slice(int(index[0]), int(index[-1]) + 1),)]
    return tf.gather(x, index.astype(np.int32), axis=place)


def pad(call: Call) -> Carried:
    """Pad: constant, reflect, edge or wrap; negative pads cut."""
    x, amounts, value, named = call.tensor(), call.const(1), call.const(2), call.const(3)
    if amounts is None:
        raise Refused("its pads are missing")
    axes = list(range(x.rank)) if named is None else [int(a) % x.rank for a in named]
    both = {a: (int(amounts[i]), int(amounts[i + len(axes)])) for i, a in enumerate(axes)}
    ends = [both.get(a, (0, 0)) for a in x.axes]
    mode = call.attr("mode", "constant")
    if mode != "constant":
        return x.like(_repeated(x.value, ends, mode))
    cut = tuple(slice(max(-low, 0), -max(-high, 0) or None) for low, high in ends)
    grown = [(max(low, 0), max(high, 0)) for low, high in ends]
    kept = x.value[cut] if any(min(p) < 0 for p in ends) else x.value
    return x.like(tf.pad(kept, grown, constant_values=0.0 if value is None or value.size == 0 else float(value.reshape(-1)[0])))


def _repeated(x: Any, ends: list[tuple[int, int]], mode: str) -> Any:
    for place, both in enumerate(ends):
        if any(both):
            index = np.pad(np.arange(x.shape[place]), both, mode)  # type: ignore[call-overload]
            x = tf.gather(x, index.astype(np.int32), axis=place)
    return x
