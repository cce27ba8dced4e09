"""Where it begins: the layers whose output is wrong though all that they read is right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.graph import Graph
from exporter.parity import Limits, compare

FLOAT16_MAX = 65504.0


@dataclass(frozen=True, slots=True)
class Beginning:
    """A layer that is the first to be wrong on its way.

    Attributes:
        layer: Name of the Graph's node.
        op: Its operator.
        value: What it makes.
        how: In words: what its output is and what it must be.
        largest: Of the right output, its largest magnitude.
    """

    layer: str
    op: str
    value: str
    how: str
    largest: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"layer": self.layer, "op": self.op, "value": self.value, "how": self.how, "largest": self.largest}


def beginnings(graph: Graph, wanted: Mapping[str, Array], got: Mapping[str, Array], limits: Limits) -> list[Beginning]:
    """Layers that are wrong though what they read is right, in the Graph's order.

    Args:
        graph: Whose values these are.
        wanted: By value name.
        got: What the file gave for those of them that it holds.
        limits: What counts as right.
    """
    found: list[Beginning] = []
    tainted: set[str] = set()
    for node in graph.nodes:
        reads = {str(v.name) for v in node.inputs if v is not None}
        for value in node.outputs:
            name = str(value.name)
            if name not in got or name not in wanted:
                if reads & tainted:
                    tainted.add(name)  # not seen: as good as what it reads
                continue
            how = fault(wanted[name], got[name], limits)
            if how is None:
                continue
            if not reads & tainted:
                largest = float(np.max(np.abs(wanted[name]), initial=0.0))
                found.append(Beginning(node.name or name, node.op_type, name, how, largest))
            tainted.add(name)
    return found


def fault(wanted: Array, got: Array, limits: Limits) -> str | None:
    """What is wrong with an array, or None."""
    odd = np.isfinite(wanted) & ~np.isfinite(got)
    if odd.any():
        count, nan = int(odd.sum()), int(np.isnan(got[odd]).sum())
        kind = "NaN" if nan == count else "infinite" if not nan else "infinite or NaN"
        top = float(np.max(np.abs(wanted), initial=0.0))
        beyond = f": {top:.4g} is more than half precision holds, {FLOAT16_MAX:g}" if top > FLOAT16_MAX else ""
        return f"{count} of {got.size} numbers are {kind}{beyond}"
    return limits.breach(compare(wanted, got))
