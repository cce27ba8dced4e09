"""What each layer costs when it alone runs in integers: the rest of the net computes in float."""

from collections.abc import Mapping

import onnx_ir as ir

from exporter.cost.count import layer_costs
from exporter.graph import Graph
from exporter.graph.qdq import layer_of
from exporter.quantization.draft import Draft
from exporter.quantization.gauge import Gauge
from exporter.quantization.layers import end_of
from exporter.quantization.outcome import LayerLoss
from exporter.quantization.switchboard import Site, Switchboard


def sensitivity(draft: Draft, gauge: Gauge) -> tuple[LayerLoss, ...]:
    """Loss of every layer alone, the worst first; its inputs, its constants and its output are rounded.

    Constants are those before repairs: a corrected bias makes up for layers that compute in float here.
    """
    board = Switchboard(draft.base, draft.quantization, draft.biases, values=gauge.values)
    nodes = {layer_of(n): n for n in draft.graph.nodes}
    macs = macs_of(draft.graph)
    found = []
    for layer in draft.points.layers:
        sites, constants = _touched(draft, nodes[layer], board)
        off = [s for s in board.sites if s not in sites]
        feeds = board.feeds(draft.quantization, off, [c for c in board.constants if c not in constants])
        found.append(LayerLoss(layer, gauge.choose(board, feeds), macs[layer]))
    return tuple(sorted(found, key=lambda one: -one.loss.noise))


def macs_of(graph: Graph) -> dict[str, int]:
    """Multiply-accumulates by layer, for one sample."""
    return {layer_of(node): cost.macs for node, cost in zip(graph.nodes, layer_costs(graph), strict=True)}


def _touched(draft: Draft, node: ir.Node, board: Switchboard) -> tuple[set[Site], set[str]]:
    """The pairs around a layer, and its constants that are rounded."""
    layer, read = layer_of(node), {str(v.name) for v in node.inputs if v is not None}
    values: Mapping[str, object] = draft.quantization.values
    sites: set[Site] = {s for s in board.sites if (s in read if isinstance(s, str) else s.value in read and layer in s.readers)}
    end = end_of(node, values)
    if end in values:
        sites.add(end)
    own = {name for w in draft.points.weights if w.layer == layer for name in (w.weight, w.bias) if name}
    return sites, own | (read & set(draft.quantization.constants))
