"""The middle form: an ONNX graph, channels first, static shapes but for the batch axis N.

Every source becomes a `Graph`, every pass changes one, every file format is written from one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from exporter.array import Array

OPSET = 20
"""Operator set of every Graph: the first with Gelu; HardSwish, Mish and LayerNormalization are older."""

BATCH = "N"
"""Name of the symbolic batch axis, always axis 0 of each input and output."""

DOMAIN = "mexport"
"""Domain of our composites, each an ONNX function with a body of standard operators."""

CHANNELS_FIRST: dict[int, tuple[int, ...]] = {
    0: (), 1: (0,), 2: (0, 1), 3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3),
}  # fmt: skip
"""Channels-last to channels-first, by rank: axis i of the result holds axis `CHANNELS_FIRST[rank][i]`."""

CHANNELS_LAST: dict[int, tuple[int, ...]] = {
    0: (), 1: (0,), 2: (0, 1), 3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1),
}  # fmt: skip
"""The inverse of CHANNELS_FIRST, by rank."""


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output: how the source names and lays it out, and which Graph value stands for it.

    Attributes:
        source_name: The name in the source model, e.g. "input_1" or "images".
        name: The name of the Graph's value.
        perm: Graph axis i holds source axis perm[i]; identity for a channels-first source, (0, 3, 1, 2) for NHWC pictures.
        dtype: numpy name of the source's element type, e.g. "float32"; the Graph itself is float32.
    """

    source_name: str
    name: str
    perm: tuple[int, ...]
    dtype: str = "float32"

    @property
    def layout(self) -> str:
        """The source's axes in words: "nchw" or "nhwc" for pictures, "ncl" or "nlc" for sequences, else "plain"."""
        named = {(0, 1, 2, 3): "nchw", (0, 3, 1, 2): "nhwc", (0, 1, 2): "ncl", (0, 2, 1): "nlc"}
        return named.get(self.perm, "plain")

    def to_graph(self, x: Array) -> Array:
        """Source layout to Graph layout, as contiguous float32; x has the batch axis."""
        return np.ascontiguousarray(x.transpose(self.perm), np.float32)

    def to_source(self, x: Array) -> Array:
        """Graph layout to source layout; x has the batch axis."""
        return x.transpose(np.argsort(self.perm)) if self.perm else x


@dataclass(slots=True)
class Graph:
    """A model in the middle form.

    Attributes:
        model: The ONNX graph: float32, opset `OPSET`, axis 0 of inputs and outputs is `BATCH`.
        inputs: One Port per graph input, in the source's order.
        outputs: One Port per graph output, in the source's order.
        name: The model's name, used for folders; letters, digits, `_`, `-` and `.`.
    """

    model: ir.Model
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    name: str

    def clone(self) -> "Graph":
        """A graph of its own that shares the weights: passes replace tensors, they never write into one."""
        return replace(self, model=self.model.clone())

    @property
    def nodes(self) -> Sequence[ir.Node]:
        """The nodes, in topological order."""
        return list(self.model.graph)
