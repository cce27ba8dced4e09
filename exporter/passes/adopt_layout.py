"""A channels-last source becomes channels first; its ports tell how its axes map.

    Given:   input x (N, H, W, C), which comes to Transpose(0, 3, 1, 2) only;  output y = Transpose(z, (0, 2, 3, 1))
    Result:  input x (N, C, H, W) with Port.perm (0, 3, 1, 2);  output y is z, with Port.perm (0, 3, 1, 2)

Sequences (N, L, C) alike with (0, 2, 1), outputs only where an input is channels last too. The Transpose that this puts behind an input
goes away by `push_transposes` and `merge_transposes`.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import onnx_ir as ir

from exporter.graph import CHANNELS_FIRST, CHANNELS_LAST, Graph, Port, attr, unique_name
from exporter.graph.context import Context
from exporter.passes.permute import FLEXIBLE, permuted_shape
from exporter.passes.rewrite import Phase, bypass, rank_of


@dataclass(frozen=True, slots=True)
class AdoptLayout:
    """Exact: data is moved only. Left alone: an input that anything reads in channels-last order."""

    phase: ClassVar[Phase] = Phase.CLEAN

    def __call__(self, graph: Graph, context: Context | None = None) -> int:
        """See `Pass`."""
        changes = 0
        for i, value in enumerate(graph.model.graph.inputs):
            rank, plain = rank_of(value), graph.inputs[i].perm == tuple(range(rank_of(value)))
            if plain and rank in (3, 4) and _comes_to_transpose(value, CHANNELS_FIRST[rank]):
                _turn_input(graph, value)
                graph.inputs = _with(graph.inputs, i, CHANNELS_FIRST[rank])
                changes += 1
        sequences = any(p.layout in ("nhwc", "nlc") for p in graph.inputs)
        for i, value in enumerate(list(graph.model.graph.outputs)):
            rank = rank_of(value)
            if (rank == 4 or (rank == 3 and sequences)) and _turn_output(value, CHANNELS_LAST[rank]):
                graph.outputs = _with(graph.outputs, i, CHANNELS_FIRST[rank])
                changes += 1
        return changes


def _with(ports: tuple[Port, ...], index: int, perm: tuple[int, ...]) -> tuple[Port, ...]:
    old = ports[index]
    new = replace(old, perm=tuple(old.perm[p] for p in perm))
    return (*ports[:index], new, *ports[index + 1 :])


def _comes_to_transpose(value: ir.Value, perm: tuple[int, ...], depth: int = 8) -> bool:
    """Whether every path from a value comes to a Transpose with this perm, through operators that one can be moved through."""
    if value.is_graph_output() or not value.uses() or depth == 0:
        return False
    for user in value.consumers():
        if user.op_type == "Transpose":
            if attr(user, "perm") != perm:
                return False
            continue
        alone = all(v is None or v is value or v.const_value is not None for v in user.inputs)
        if user.op_type not in FLEXIBLE or not alone or rank_of(user.outputs[0]) != len(perm):
            return False
        if not all(_comes_to_transpose(out, perm, depth - 1) for out in user.outputs):
            return False
    return True


def _turn_input(graph: Graph, value: ir.Value) -> None:
    """The input becomes channels first; what read it reads a Transpose of it."""
    rank = rank_of(value)
    back = ir.node("Transpose", [None], {"perm": list(CHANNELS_LAST[rank])}, name=f"{value.name}_layout")
    old = back.outputs[0]
    old.name = unique_name(graph, f"{value.name}_layout")
    old.shape, old.type = value.shape, value.type
    value.replace_all_uses_with(old)
    back.replace_input_with(0, value)
    graph.model.graph.insert_before(graph.model.graph[0], back)
    value.shape = permuted_shape(old.shape or (), CHANNELS_FIRST[rank])


def _turn_output(value: ir.Value, perm: tuple[int, ...]) -> bool:
    node = value.producer()
    if node is None or node.op_type != "Transpose" or attr(node, "perm") != perm or value.uses():
        return False
    source = node.inputs[0]
    return source is not None and bool(bypass(node, source))
