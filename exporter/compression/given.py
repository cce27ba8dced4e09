"""What a compression pass is told beside its own settings, and what it hands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from exporter.array import Array
from exporter.console import Console
from exporter.cost.count import Totals, totals
from exporter.data import Dataset
from exporter.graph import Graph


@dataclass(frozen=True)
class Given:
    """Data and surroundings, the same for all passes of a recipe.

    Attributes:
        start: The cleaned Graph as it came, batch norms live: budgets are shares of its cost, and it teaches.
        samples: Inputs by Graph input name, in Graph layout, to repair with; None where there are none.
        data: What is trained on; None where nothing is.
        teacher: Another model to learn from; None for `start`.
        format: Whose engine a budget in time is measured in.
        channel_step: Widths worth having are multiples of it.
        threads: Of that engine.
        seed: Of everything random.
        keep: Folder of checkpoints; None where nothing is kept.
        console: Where progress goes.
    """

    start: Graph
    samples: Mapping[str, Array] | None = None
    data: Dataset | None = None
    teacher: Graph | None = None
    format: str = "onnx"
    channel_step: int = 8
    threads: int = 1
    seed: int = 0
    keep: Path | None = None
    console: Console = field(default_factory=lambda: Console(quiet=True))

    @property
    def whole(self) -> Totals:
        """What the model costs as it came."""
        return totals(self.start)


@dataclass(frozen=True, slots=True)
class Made:
    """What a pass hands on.

    Attributes:
        graph: The Graph after it.
        facts: What it found and did: plain data for the manifest.
        history: Of a training, every look at the held-out samples; see `exporter.train.history.Epoch`.
    """

    graph: Graph
    facts: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()


class Compressor(Protocol):
    """A pass of a recipe: a frozen dataclass whose fields are its settings."""

    def needs(self, given: Given) -> None:
        """Raises UsageError where something is missing that the pass cannot do without; before anything slow is done."""

    def __call__(self, graph: Graph, given: Given) -> Made:
        """The Graph after the pass; the given one stays as it is."""
