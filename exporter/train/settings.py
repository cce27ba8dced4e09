"""What a training is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.errors import UsageError, unknown_name

LOSSES = ("dist", "logits", "features", "none")
"""What is learnt from the teacher."""

CHOICES = ("accuracy", "loss")
"""What the best weights are chosen by, on held-out samples."""

RATES = {"adamw": 2e-3, "sgd": 0.05}
"""Peak learning rate for a batch of 64, by optimiser."""

DECAYS = {"adamw": 1e-2, "sgd": 5e-4}
"""Weight decay, by optimiser: AdamW multiplies its own by the rate."""

BATCH = 64


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How to train.

    Attributes:
        minutes: Wall time of the whole training, held-out checks and compilation included; the schedule fits itself to it.
        epochs: Passes over the data instead: the same numbers every time, however busy the machine.
        batch: Samples a step; the rate goes with it.
        optimiser: "adamw" or "sgd".
        rate: Peak learning rate; None for the optimiser's usual one.
        decay: Weight decay; None for the optimiser's usual one.
        warmup: Share of the training in which the rate rises.
        sparsity: Of batch norms' scales: each is pulled towards 0 by rate * sparsity a step, see `sparse`, and the
            last weights are kept, not the best, which are the least sparse. 0: not at all.
        freeze_norms: Batch norms keep their statistics: for few samples, and for nets whose norms were frozen when they were made, which
            answer otherwise with the statistics of a batch.
        distill: One of LOSSES; for the teacher.
        label_weight: Of the loss on labels beside the teacher's.
        heads: What outputs are, by source name: "classes" (scores or logits of classes), "binary" or "numbers"; guessed where left out.
        held_out: Share of the data that is not trained on, but chooses the best weights.
        choose: "accuracy": the best weights have the most right answers there, where there are labels; "loss": the least loss.
        patience: Stop after so many epochs without a better one.
        augment: Flip and shift pictures.
        views: Ways in which every picture is changed, over and over in the same batches: the teacher is asked once about each and its
            answers are kept, which saves a third to a half of the time. 0: every pass changes them anew, which teaches more per pass.
        flip: Whether pictures may be mirrored; None: those in colour may, grey ones (digits) not.
        blend: Put a box of another picture over every one, and learn from the teacher alone what it says of that: labels only choose the
            best weights. For a teacher that knows the data by heart, and for long trainings.
        seed: Of order, augmentation and the held-out choice.
    """

    minutes: float = 10.0
    epochs: int | None = None
    batch: int = BATCH
    optimiser: str = "adamw"
    rate: float | None = None
    decay: float | None = None
    warmup: float = 0.05
    sparsity: float = 0.0
    freeze_norms: bool = False
    distill: str = "dist"
    label_weight: float = 1.0
    heads: Mapping[str, str] = field(default_factory=dict)
    held_out: float = 0.1
    choose: str = "accuracy"
    patience: int = 50
    augment: bool = True
    views: int = 0
    flip: bool | None = None
    blend: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.distill not in LOSSES:
            raise unknown_name("loss", self.distill, LOSSES)
        if self.optimiser not in RATES:
            raise unknown_name("optimiser", self.optimiser, RATES)
        if self.choose not in CHOICES:
            raise unknown_name("choice", self.choose, CHOICES)
        if not self.minutes > 0 or (self.epochs is not None and self.epochs < 1) or self.batch < 1 or self.patience < 1:
            raise UsageError("minutes, epochs, batch and patience of a training must be above 0", hint="for example minutes 10")
        if self.blend and not self.augment:
            raise UsageError("pictures cannot be blended and left alone", hint="leave out augment = false")
        if self.views < 0:
            raise UsageError(f"{self.views} views of a picture cannot be", hint="8 is usual; 0 makes new ones in every pass")
        if not self.sparsity >= 0:
            raise UsageError(f"sparsity {self.sparsity:g}: it cannot be below 0", hint="0 leaves batch norms alone; 0.01 to 0.1 are usual")
        if not (0 < self.held_out < 1 and 0 <= self.warmup < 1):
            raise UsageError(
                f"held out {self.held_out:g}, warm-up {self.warmup:g}: both are shares below 1", hint="for example 0.1 and 0.05"
            )

    @property
    def peak_rate(self) -> float:
        """The learning rate at its highest."""
        return (RATES[self.optimiser] if self.rate is None else self.rate) * (self.batch / BATCH if self.rate is None else 1.0)

    @property
    def weight_decay(self) -> float:
        """Of kernels and matrices."""
        return DECAYS[self.optimiser] if self.decay is None else self.decay
