"""The pass that trains: from labels, from a teacher, or from both."""

from dataclasses import dataclass
from typing import Any

from exporter.compression.given import Given, Made
from exporter.compression.normed import folded, prepared
from exporter.errors import UsageError
from exporter.graph import Graph
from exporter.train.history import Progress
from exporter.train.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Distill:
    """Train the model again, with the model as it came (or another) for a teacher, and with labels where the data have some.

    Given: a Graph whose layers the trainer knows. Result: the same Graph with other weights, those that were best on held-out samples.

    Attributes:
        minutes: Wall time of the training; the schedule fits itself to it.
        epochs: Passes over the data instead; 0 for `minutes`.
        loss: What is learnt from the teacher: "dist", "logits", "features", or "none" for labels alone.
        label_weight: Of the loss on labels beside the teacher's.
        optimiser: "adamw" or "sgd".
        rate: Peak learning rate; 0 for the optimiser's usual one.
        batch: Samples a step.
        augment: Flip and shift pictures.
        views: Ways in which a picture is changed: the teacher is asked once about each. 0: it is asked in every step.
        blend: Put a box of another picture over every one, and learn from the teacher alone what that is: labels only choose the best
            weights.
        choose: "accuracy": the best weights have the most right answers on held-out samples, where there are labels; "loss": the least
            loss, which goes up and down less.
        held_out: Share of the data that chooses the best weights and is not trained on.
        patience: Stop after so many epochs without better ones.
        sparsity: Weight of the sum of batch norms' scales in the loss: unimportant channels shrink before they are pruned.
        freeze_norms: Batch norms keep their statistics: for few samples, and for nets that were fine-tuned with frozen norms.
        norms: A net without any norm has batch norms while it is trained, where there are samples enough; see `normed`.

    Source: Huang et al. 2022, https://arxiv.org/abs/2205.10536 (DIST); Hinton et al. 2015, https://arxiv.org/abs/1503.02531.
    """

    minutes: float = 10.0
    epochs: int = 0
    loss: str = "dist"
    label_weight: float = 1.0
    optimiser: str = "adamw"
    rate: float = 0.0
    batch: int = 64
    augment: bool = True
    views: int = 0
    blend: bool = False
    choose: str = "accuracy"
    held_out: float = 0.1
    patience: int = 50
    sparsity: float = 0.0
    freeze_norms: bool = False
    norms: bool = True

    def __post_init__(self) -> None:
        self.settings(0)

    def settings(self, seed: int) -> TrainSettings:
        """As the trainer takes them.

        Raises:
            UsageError: If one does not make sense.
        """
        return TrainSettings(
            minutes=self.minutes, epochs=self.epochs or None, batch=self.batch, optimiser=self.optimiser, rate=self.rate or None,
            distill=self.loss, label_weight=self.label_weight, held_out=self.held_out, patience=self.patience, augment=self.augment,
            sparsity=self.sparsity, freeze_norms=self.freeze_norms, views=self.views, blend=self.blend, choose=self.choose,
            seed=seed,
        )  # fmt: skip

    def needs(self, given: Given) -> None:
        """See `Compressor`."""
        if given.data is None:
            raise UsageError("training needs data", hint="give --train DATA: class folders, .npz, idx, or pictures without labels")

    def __call__(self, graph: Graph, given: Given) -> Made:
        """See `Compressor`.

        Raises:
            UnsupportedOpError: If the model has layers that cannot be trained; names them.
            DataError: If there are too few samples, or labels go beyond the classes.
            MexportError: If the training diverges.
        """
        from exporter.train.start import start_tensorflow

        start_tensorflow()
        from exporter.train.fit import fit

        assert given.data is not None
        settings = self.settings(given.seed)
        start = prepared(graph, given.data) if self.norms and not self.freeze_norms else graph
        with given.console.share("training") as told:

            def tick(progress: Progress) -> None:
                told(progress.done, progress.left_s, words(progress))

            done = fit(start, given.data, settings, teacher=given.teacher or given.start, keep=given.keep, tick=tick)
        if done.best.epoch == 0:
            given.console.warn(f"training made the model no better on held-out samples, so that it stays as it was; {self._remedy()}")
        facts: dict[str, Any] = {
            "epochs": done.history[-1].epoch, "best_epoch": done.best.epoch, "steps": done.steps, "stopped": done.stopped,
            "held_out_accuracy": done.best.held_accuracy, "held_out_loss": done.best.held_loss, "norms_while_training": start is not graph,
        }  # fmt: skip
        return Made(done.graph if start is graph else folded(done.graph), facts, tuple(e.as_dict() for e in done.history))

    def _remedy(self) -> str:
        """What may help a training that was of no use."""
        frozen = "" if self.freeze_norms else "--freeze-norms (nets fine-tuned with frozen batch norms need it), "
        return f"try {frozen}more minutes, or a smaller rate in a recipe"


def words(progress: Progress) -> str:
    """Where a training is, for a person."""
    right = "" if progress.last.held_accuracy is None else f", {progress.last.held_accuracy:.1%} right"
    return f"epoch {progress.epoch}, loss {progress.loss:.3f}; held out: loss {progress.last.held_loss:.3f}{right}"
