"""Where it begins: the layers whose output is wrong though all that they read is right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.graph import Graph
from exporter.graph.sizes import least_sizes
from exporter.parity import Limits, compare

FLOAT16_MAX = 65504.0
MOST_NAMED = 3


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


def named(begins: Sequence[Mapping[str, Any]]) -> str:
    """Layers in words, the first few: of `Beginning.as_dict`."""
    first = "; ".join(f"{b['layer']} ({b['op']}): {b['how']}" for b in begins[:MOST_NAMED])
    return first + (f"; and {len(begins) - MOST_NAMED} more" if len(begins) > MOST_NAMED else "")


Fault = Callable[[str, Array, Array], str | None]
"""A value's name, what it must be, what it is: what is wrong with it, or None."""


@dataclass(frozen=True, slots=True)
class Inside:
    """A file's values, one by one, as they were in one place.

    Attributes:
        graph: Whose values these are.
        wanted: What they must be, by value name.
        got: What the file gave for those of them that it holds.
        scales: Of those that are integers in the file.
    """

    graph: Graph
    wanted: Mapping[str, Array]
    got: Mapping[str, Array]
    scales: Mapping[str, float] = field(default_factory=dict)

    def wrong(self, limits: Limits) -> list[Beginning]:
        """Layers that are beyond the limits though what they read is within."""
        least = least_sizes(self.graph)
        return beginnings(self.graph, self.wanted, self.got, lambda name, wanted, got: fault(wanted, got, limits, least[name]))

    def differing(self, here: "Inside") -> list[Beginning]:
        """Layers that differ from those of the same file on this computer though what they read is equal."""
        return beginnings(self.graph, here.got, self.got, partial(difference, self.scales))


def beginnings(graph: Graph, wanted: Mapping[str, Array], got: Mapping[str, Array], fault_of: Fault) -> list[Beginning]:
    """Layers that are wrong though what they read is right, in the Graph's order.

    Args:
        graph: Whose values these are.
        wanted: By value name.
        got: What the file gave for those of them that it holds.
        fault_of: What counts as wrong.
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
            how = fault_of(name, wanted[name], got[name])
            if how is None:
                continue
            if not reads & tainted:
                largest = float(np.max(np.abs(wanted[name]), initial=0.0))
                found.append(Beginning(node.name or name, node.op_type, name, how, largest))
            tainted.add(name)
    return found


def difference(scales: Mapping[str, float], name: str, here: Array, there: Array) -> str | None:
    """How a value differs from this computer's: in steps where it is an integer, else relative to the largest; None where it does not."""
    count = int(np.count_nonzero(here != there))
    if count == 0:
        return None
    off = compare(here, there)
    size = f"rel {off.rel:.1e}"
    if name in scales:
        steps = round(off.max_abs / scales[name])
        size = "1 step" if steps == 1 else f"{steps} steps"
    return f"{count} of {here.size} numbers differ, by up to {size}"


def fault(wanted: Array, got: Array, limits: Limits, least: float = 0.0) -> str | None:
    """What is wrong with an array, or None; `least` as for `compare`."""
    odd = np.isfinite(wanted) & ~np.isfinite(got)
    if odd.any():
        count, nan = int(odd.sum()), int(np.isnan(got[odd]).sum())
        kind = "NaN" if nan == count else "infinite" if not nan else "infinite or NaN"
        top = float(np.max(np.abs(wanted), initial=0.0))
        beyond = f": {top:.4g} is more than half precision holds, {FLOAT16_MAX:g}" if top > FLOAT16_MAX else ""
        return f"{count} of {got.size} numbers are {kind}{beyond}"
    return limits.breach(compare(wanted, got, least))
