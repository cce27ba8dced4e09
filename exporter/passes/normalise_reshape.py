"""One way to write a change of shape.

Given:   Flatten, Squeeze, Unsqueeze or Reshape of a batched value, or two in a row
Result:  Reshape(x, [0, d1, d2, ...]) with every dimension but the batch known
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import BATCH, Graph, add_constant, const_input
from exporter.passes.rewrite import NodePass, Phase, become


@dataclass(frozen=True, slots=True)
class NormaliseReshape(NodePass):
    """Exact. Left alone: what moves the batch axis, or has an open shape."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x, dims = node.inputs[0], batched(node.outputs[0])
        before = x.producer() if x is not None else None
        if before is not None and before.op_type == "Reshape" and x is not None and batched(x) is not None:
            x = before.inputs[0]
        if x is None or dims is None or batched(x) is None:
            return 0
        wanted = np.array([0, *dims], np.int64)
        plain = node.op_type == "Reshape" and not node.attributes and np.array_equal(const_input(node, 1), wanted)  # type: ignore[arg-type]
        if plain and x is node.inputs[0]:
            return 0
        return become(node, "Reshape", [x, add_constant(graph, f"{node.outputs[0].name}_shape", wanted)])


def batched(value: ir.Value | None) -> list[int] | None:
    """The axes after the batch, or None where the value has no batch axis in front or an open axis."""
    if value is None or value.shape is None or not len(value.shape) or str(value.shape[0]) != BATCH:
        return None
    rest = list(value.shape)[1:]
    return [int(str(d)) for d in rest] if all(isinstance(d, int) and d > 0 for d in rest) else None
