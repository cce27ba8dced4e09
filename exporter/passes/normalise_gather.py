"""One index taken of an axis, as the slice that it is.

Given:   y = Gather(x, i, axis=a)                                  i a single constant, a not the batch
Result:  y = Reshape(Slice(x, i to i + 1 on axis a), [0, ...])
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from exporter.graph import BATCH, Graph, add_constant, attr, const_input, insert_node
from exporter.passes.normalise_reshape import batched
from exporter.passes.rewrite import NodePass, Phase, become


@dataclass(frozen=True, slots=True)
class NormaliseGather(NodePass):
    """Exact: data is moved only. Left alone: rows of indices, and what has no batch in front."""

    phase: ClassVar[Phase] = Phase.CLEAN
    ops: ClassVar[frozenset[str]] = frozenset({"Gather"})

    def rewrite(self, graph: Graph, node: ir.Node) -> int:
        """See `NodePass`."""
        x, index, out = node.inputs[0], const_input(node, 1), batched(node.outputs[0])
        dims = batched(x)
        if x is None or index is None or index.ndim or dims is None or out is None:
            return 0
        axis = int(attr(node, "axis", 0)) % (len(dims) + 1)
        if axis == 0:
            return 0
        first = int(index) % dims[axis - 1]
        name = node.outputs[0].name or "gather"
        bounds = [add_constant(graph, f"{name}_{i}", np.array([v], np.int64)) for i, v in enumerate((first, first + 1, axis, 1))]
        taken = insert_node(graph, node, "Slice", [x, *bounds], f"{name}_slice")
        taken.shape = ir.Shape([BATCH, *dims[: axis - 1], 1, *dims[axis:]])
        target = add_constant(graph, f"{name}_shape", np.array([0, *out], np.int64))
        return become(node, "Reshape", [taken, target])
