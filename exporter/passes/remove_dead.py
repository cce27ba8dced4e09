"""Remove what no output depends on.

Given:   a = Relu(x);  b = Conv(x, W);  y = Abs(x)      y the output
Result:  y = Abs(x)                                     a, b and W are gone
"""

from dataclasses import dataclass
from typing import ClassVar

from exporter.graph import Graph
from exporter.graph.context import Context
from exporter.passes.rewrite import Phase


@dataclass(frozen=True, slots=True)
class RemoveDead:
    """Exact. Inputs stay, read or not: they are the model's signature."""

    phase: ClassVar[Phase] = Phase.CLEAN

    def __call__(self, graph: Graph, context: Context | None = None) -> int:
        """See `Pass`."""
        body, removed = graph.model.graph, 0
        for node in reversed(graph.nodes):
            if not any(o.uses() or o.is_graph_output() for o in node.outputs):
                body.remove(node, safe=True)
                removed += 1
        unused = [v for v in body.initializers.values() if not v.uses() and not v.is_graph_output()]
        for value in unused:
            body.initializers.pop(value.name or "")
        return removed + len(unused)
