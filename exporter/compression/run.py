"""Run the compression passes of a recipe, each on what the last one left."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from exporter.compression.given import Compressor, Given, Made
from exporter.compression.kept import Kept
from exporter.cost.count import totals
from exporter.graph import Graph


@dataclass(frozen=True, slots=True)
class Step:
    """One pass, done.

    Attributes:
        name: Of the pass.
        settings: Its fields.
        before: The Graph that it was given.
        made: What it handed on.
        seconds: What it took.
    """

    name: str
    settings: Mapping[str, Any]
    before: Graph
    made: Made
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {
            "pass": self.name, "settings": dict(self.settings),
            "before": totals(self.before).as_dict(), "after": totals(self.made.graph).as_dict(),
            "seconds": self.seconds, "facts": dict(self.made.facts), "history": [dict(h) for h in self.made.history],
        }  # fmt: skip


def compress(graph: Graph, passes: Sequence[Compressor], given: Given) -> tuple[Graph, tuple[Step, ...]]:
    """The compressed Graph, batch norms live as they were, and what was done.

    Args:
        graph: Cleaned, not folded; stays as it is.
        passes: In the order they run.
        given: Data and surroundings; with `keep`, a run that was killed goes on where it was.

    Raises:
        MexportError: What a pass says; each kind its own class.
    """
    for one in passes:
        one.needs(given)
    kept, now, steps = Kept(given.keep), graph, list[Step]()
    for i, one in enumerate(passes):
        made, seconds = kept.load(i) or _done(one, now, replace(given, keep=kept.checkpoints(i)))
        kept.save(i, made, seconds)
        steps.append(Step(type(one).__name__, asdict(one), now, made, seconds))  # type: ignore[call-overload]
        now = made.graph
    return now, tuple(steps)


def _done(one: Compressor, graph: Graph, given: Given) -> tuple[Made, float]:
    start = time.perf_counter()
    return one(graph, given), time.perf_counter() - start
