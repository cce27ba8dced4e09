"""What a training tells of itself: while it runs, and afterwards as data."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from exporter.graph import Graph


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training data; epoch 0 is the state before it.

    Attributes:
        epoch: Counted from 1.
        seconds: Since the start of the training.
        rate: Learning rate of its last step.
        loss: Mean training loss of its steps; None for epoch 0.
        held_loss: Loss on the held-out samples.
        held_accuracy: Share of right answers there; None without labels.
    """

    epoch: int
    seconds: float
    rate: float
    loss: float | None
    held_loss: float
    held_accuracy: float | None

    def score(self, by: str = "accuracy") -> tuple[float, float]:
        """Higher is better: right answers first, then the loss; or the loss alone, see `TrainSettings.choose`."""
        return (self.held_accuracy if self.held_accuracy is not None and by == "accuracy" else 0.0, -self.held_loss)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training is right now.

    Attributes:
        done: Share of the whole, 0 to 1.
        left_s: Seconds to go, infinity before the first step.
        epoch: The epoch that runs.
        loss: Of the last step that was looked at.
        last: The last finished epoch.
    """

    done: float
    left_s: float
    epoch: int
    loss: float
    last: Epoch


Tick = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out.

    Attributes:
        graph: The model with its best weights, batch norms live as they were.
        history: Every epoch, the state before the first one included.
        best: The epoch whose weights are in `graph`.
        steps: Steps that were made.
        seconds: What it took, interrupted runs included.
        stopped: "minutes", "epochs" or "patience": why it ended.
        parity: Largest difference of `graph` from what was trained.
    """

    graph: Graph
    history: tuple[Epoch, ...]
    best: Epoch
    steps: int
    seconds: float
    stopped: str
    parity: float
