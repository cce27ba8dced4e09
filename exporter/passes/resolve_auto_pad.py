"""Pads, strides, dilations and kernels written out.

Given:   Conv, ConvTranspose, MaxPool, AveragePool with auto_pad, output_shape, or attributes left out
Result:  explicit kernel_shape, strides, dilations, pads (and output_padding); ceil_mode only where it changes the result
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import onnx_ir as ir

from exporter.graph import Graph, attr
from exporter.passes.rewrite import NodePass, Phase, rank_of, set_attrs

_WINDOWED = frozenset({"Conv", "ConvTranspose", "MaxPool", "AveragePool"})


@dataclass(frozen=True, slots=True)
class ResolveAutoPad(NodePass):
    """Exact. Left alone: an input whose spatial size is open, a Conv with computed weights of unknown shape."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = _WINDOWED

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x = node.inputs[0]
        if rank_of(x) < 3 or x is None or any(not isinstance(d, int) for d in list(x.shape or ())[2:]):
            return 0
        size = tuple(int(str(d)) for d in list(x.shape or ())[2:])
        kernel = _kernel(node, len(size))
        if kernel is None:
            return 0
        strides, dilations = (tuple(attr(node, k, (1,) * len(size))) for k in ("strides", "dilations"))
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        if node.op_type == "ConvTranspose":
            settings = _transposed_pads(node, size, strides, reach)
        else:
            settings = {"pads": _pads(node, size, strides, reach)}
            settings["ceil_mode"] = (attr(node, "ceil_mode", 0) and _ceil_matters(size, strides, reach, settings["pads"])) or None
        spread = None if node.op_type == "AveragePool" and set(dilations) == {1} else dilations  # new in opset 19
        if node.op_type in ("Conv", "ConvTranspose"):
            settings["group"] = attr(node, "group", 1)
        return int(set_attrs(node, kernel_shape=kernel, strides=strides, dilations=spread, auto_pad=None, **settings))


def _kernel(node: ir.Node, rank: int) -> tuple[int, ...] | None:
    given = attr(node, "kernel_shape")
    if given is not None:
        return tuple(given)
    weights = node.inputs[1] if len(node.inputs) > 1 else None
    if weights is None or weights.shape is None or len(weights.shape) != rank + 2:
        return None
    return tuple(int(str(d)) for d in list(weights.shape)[2:])


def _pads(node: ir.Node, size: Sequence[int], strides: Sequence[int], reach: Sequence[int]) -> list[int]:
    """All begins, then all ends, as ONNX orders them."""
    mode = attr(node, "auto_pad", "NOTSET")
    if mode == "NOTSET":
        return list(attr(node, "pads", (0,) * 2 * len(size)))
    if mode == "VALID":
        return [0] * (2 * len(size))
    total = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(size, strides, reach, strict=True)]
    return _split(total, upper=mode == "SAME_UPPER")


def _split(total: Sequence[int], *, upper: bool) -> list[int]:
    small, large = [t // 2 for t in total], [t - t // 2 for t in total]
    return [*small, *large] if upper else [*large, *small]


def _ceil_matters(size: Sequence[int], strides: Sequence[int], reach: Sequence[int], pads: Sequence[int]) -> bool:
    half = len(size)
    room = [n + pads[i] + pads[half + i] - r for i, (n, r) in enumerate(zip(size, reach, strict=True))]
    return any(left % s for left, s in zip(room, strides, strict=True))


def _transposed_pads(node: ir.Node, size: Sequence[int], strides: Sequence[int], reach: Sequence[int]) -> dict[str, Any]:
    """Pads of a ConvTranspose; where the output is asked bigger than it comes, output_padding makes up for it."""
    half, mode = len(size), attr(node, "auto_pad", "NOTSET")
    extra = list(attr(node, "output_padding", (0,) * half))
    wanted = attr(node, "output_shape")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(size, strides, strict=True)]
    if wanted is None:
        pads = [0] * (2 * half) if mode == "VALID" else list(attr(node, "pads", (0,) * 2 * half))
        return {"pads": pads, "output_padding": extra}
    wanted = list(wanted)[-half:]
    total = [(n - 1) * s + e + r - w for n, s, e, r, w in zip(size, strides, extra, reach, wanted, strict=True)]
    extra = [e + max(-t, 0) for e, t in zip(extra, total, strict=True)]
    pads = _split([max(t, 0) for t in total], upper=mode != "SAME_LOWER")
    return {"pads": pads, "output_padding": extra, "output_shape": None}
