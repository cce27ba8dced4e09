"""Chains of operators that only move data, as the one move that they are.

    Given:   Reshape, Transpose, Gather, Slice, Squeeze, Split ... in a row, as each exporter writes its own channel shuffle or split
    Result:  nothing, Reshape, Transpose, Slice, ChannelShuffle, DepthToSpace, SpaceToDepth or Gather of the first one's input

The chain is run on an array that holds each element's own index, so any spelling is seen.
Source: Zhang et al. 2017, https://arxiv.org/abs/1707.01083, figure 1 (channel shuffle); Shi et al. 2016, https://arxiv.org/abs/1609.05158.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import BATCH, Graph, add_constant, shape_of
from exporter.graph.context import Context
from exporter.passes.moves import REPLAYED, SAMPLES, Move, moved, of_one_sample, recognise
from exporter.passes.normalise_reshape import batched
from exporter.passes.rewrite import Phase, become

_LIMIT = 1 << 23
"""Elements of the largest value that is replayed."""


@dataclass(frozen=True, slots=True)
class RecogniseMoves:
    """Exact: data is moved only. Left alone: chains that mix channels with space in no way that has a name."""

    phase: ClassVar[Phase] = Phase.CLEAN

    def __call__(self, graph: Graph, context: Context | None = None) -> int:
        """See `Pass`."""
        seen: dict[ir.Value, tuple[ir.Value, Array, int]] = {}
        changes = 0
        for node in graph.nodes:
            x = node.inputs[0] if node.inputs else None
            if x is None or node.op_type not in REPLAYED or node.domain or not (x in seen or _leads(node)):
                continue
            source, indices, depth = seen[x] if x in seen else (x, _indices(x), 0)
            if indices is None:
                continue
            results = moved(node, indices)
            for out, result in zip(node.outputs, results or (), strict=False):
                seen[out] = (source, result, depth + 1)
            if results is None or depth == 0 or len(node.outputs) > 1 or str((node.outputs[0].shape or "x")[0]) != BATCH:
                continue
            one = of_one_sample(results[0], prod(shape_of(source)))
            move = recognise(one, shape_of(source)) if one is not None else None
            if move is not None and _replace(graph, node, source, move):
                seen.pop(node.outputs[0])
                changes += 1
        return changes


def _leads(node: ir.Node) -> bool:
    """Whether a move is read by another one: a single one needs no replay."""
    return any(u.op_type in REPLAYED and u.inputs[0] is out for out in node.outputs for u in out.consumers())


def _indices(value: ir.Value) -> Array | None:
    dims = batched(value)
    if not dims or prod(dims) > _LIMIT:
        return None
    return np.arange(SAMPLES * prod(dims), dtype=np.int32).reshape(SAMPLES, *dims)


def _replace(graph: Graph, node: ir.Node, source: ir.Value, move: Move) -> int:
    """Write the move instead of the chain's last node."""
    constants = [add_constant(graph, f"{node.outputs[0].name}_{i}", array) for i, array in enumerate(move.constants)]
    return become(node, move.op, [source, *constants], domain=move.domain, **move.attrs)
