"""One run of training: steps, checks on held-out samples, checkpoints."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from exporter.array import Array
from exporter.errors import MexportError
from exporter.train import optimise
from exporter.train.augment import augmentations
from exporter.train.checkpoint import Checkpoint, Keeper
from exporter.train.feed import Feed
from exporter.train.history import Epoch, Progress, Tick
from exporter.train.objective import Objective
from exporter.train.schedule import Schedule
from exporter.train.settings import TrainSettings
from exporter.train.sparse import scales_of, shrink

CHECK_SHARE = 5
"""By the clock, training goes on for at least so many times what a check took before the next one."""


class Loop:
    """The state of a run, from its checkpoint where there is one.

    Args:
        objective: The loss and the student.
        feeds: To train on, and held out.
        settings: How.
        keeper: Where checkpoints go.
        tick: Told about every step.
    """

    def __init__(self, objective: Objective, feeds: tuple[Feed, Feed], settings: TrainSettings, keeper: Keeper, tick: Tick) -> None:
        self.objective, self.bridge, self.settings, self.keeper, self.tick = objective, objective.student, settings, keeper, tick
        self.feed, self.held = feeds
        self.augment = augmentations(self.bridge.graph, settings.flip, blend=settings.blend) if settings.augment else {}
        roles, variables = self.bridge.roles, objective.variables
        decay = {n: settings.weight_decay for n in variables if n in roles and roles[n].decays}
        self.optimiser = optimise.make(settings.optimiser, variables, decay)
        self.sparse = scales_of(self.bridge.graph, variables) if settings.sparsity else []
        self.epoch = self.step = 0
        self.stopped: str | None = None
        self.history: list[Epoch] = []
        self.best: Epoch
        self.best_weights: dict[str, Array] = {}
        self.memory: dict[tuple[int, int], Any] | None = {} if settings.views and objective.memorable else None
        self._held_said: dict[int, Any] = {}
        self._compile()
        spent = self._resume()
        a_pass = max(len(self.feed) // settings.batch, 1)
        steps = None if settings.epochs is None else settings.epochs * a_pass
        self.schedule = Schedule(settings.minutes, steps, settings.peak_rate, settings.warmup, spent)

    def _compile(self) -> None:
        variables = list(self.objective.variables.values())

        def step(inputs: Mapping[str, Any], labels: Any, rate: Any, seed: Any, said: Sequence[Any] | None) -> Any:
            inputs = {name: self.augment[name](x, seed) if name in self.augment else x for name, x in inputs.items()}
            if said is None and self.memory is not None:
                said = self.objective.ask(inputs)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(variables)
                loss, _ = self.objective(inputs, labels, training=True, said=said)
            self.optimiser.apply(tape.gradient(loss, variables), rate)
            shrink(self.sparse, rate * self.settings.sparsity)
            return loss, said

        def check(inputs: Mapping[str, Any], labels: Any, said: Sequence[Any] | None) -> Any:
            if said is None and self.objective.memorable:
                said = self.objective.ask(inputs)
            return *self.objective(inputs, labels, training=False, said=said), said

        # No branch here depends on a tensor, and autograph would rewrite every function on the way: most of the time of a trace.
        self._step, self._check = (tf.function(f, reduce_retracing=True, autograph=False) for f in (step, check))

    def run(self) -> str:
        """Train to the end; why it ended: "minutes", "epochs" or "patience"."""
        if not self.history:
            self._look(None, 0.0)
        while self.stopped is None:
            loss, rate = self._pass()
            self.epoch += 1
            if self._due() or self.schedule.progress(self.step) >= 1:
                self._look(loss, rate)
        return self.stopped

    def _why_stop(self) -> str | None:
        if self.schedule.progress(self.step) >= 1:
            return "minutes" if self.settings.epochs is None else "epochs"
        return "patience" if self.epoch - self.best.epoch >= self.settings.patience else None

    def _due(self) -> bool:
        """Whether a check is worth its time; always, where the training is counted in epochs and must repeat itself."""
        since = self.schedule.spent_s - self.history[-1].seconds
        return self.settings.epochs is not None or since >= CHECK_SHARE * self._check_s

    def _pass(self) -> tuple[float, float]:
        """One epoch, or what the clock leaves of it, a step at least: mean loss and last rate."""
        losses: list[float] = []
        rate = 0.0
        view = self.epoch % self.settings.views if self.settings.views else self.epoch
        for index, (inputs, labels) in enumerate(self.feed.shuffled(self.settings.batch, (self.settings.seed, view))):
            done = self.schedule.progress(self.step)
            if done >= 1 and losses:
                break
            rate = self.schedule.rate(done)
            losses.append(self._one(inputs, labels, rate, (view, index)))
            self.step += 1
            self.tick(Progress(min(done, 1.0), self.schedule.left_s(self.step), self.epoch + 1, losses[-1], self.history[-1]))
        return float(np.mean(losses)), rate

    def _one(self, inputs: Mapping[str, Array], labels: Array | None, rate: float, place: tuple[int, int]) -> float:
        view, index = place
        number = view * max(len(self.feed) // self.settings.batch, 1) + index
        seed = tf.constant([self.settings.seed, number], tf.int32)
        tensors = {name: tf.constant(x) for name, x in inputs.items()}
        known = None if self.memory is None else self.memory.get(place)
        wanted = None if labels is None else tf.constant(labels)
        loss, said = self._step(tensors, wanted, tf.constant(rate, tf.float32), seed, known)
        loss = float(loss)
        if self.memory is not None and known is None:
            self.memory[place] = said
        if not math.isfinite(loss):
            raise MexportError(
                f"training diverged: the loss of step {self.step + 1} is {loss}",
                hint=f"take a smaller rate than {self.settings.peak_rate:g}",
            )
        return loss

    def _look(self, loss: float | None, rate: float) -> None:
        """Check on the held-out samples, keep the weights if they are the best (sparse ones always), and put all of it on disk."""
        start = self.schedule.spent_s
        held_loss, accuracy = self._held_out()
        now = Epoch(self.epoch, self.schedule.spent_s, rate, loss, held_loss, accuracy)
        if not self.history or self.settings.sparsity or now.score(self.settings.choose) > self.best.score(self.settings.choose):
            self.best, self.best_weights = now, self.bridge.state()
        self.history.append(now)
        self.stopped = self._why_stop()
        self._save()
        self._check_s = self.schedule.spent_s - start

    def _held_out(self) -> tuple[float, float | None]:
        total, right, seen = 0.0, 0, 0
        for index, (inputs, labels) in enumerate(self.held.in_order(self.settings.batch)):
            count = len(next(iter(inputs.values())))
            tensors, wanted = {n: tf.constant(x) for n, x in inputs.items()}, None if labels is None else tf.constant(labels)
            loss, answers, self._held_said[index] = self._check(tensors, wanted, self._held_said.get(index))
            total, seen = total + float(loss) * count, seen + count
            right += 0 if answers is None else int(answers)
        return total / seen, None if self.objective.labelled is None else right / seen

    def _save(self) -> None:
        facts = {"epoch": self.epoch, "step": self.step, "spent_s": self.schedule.spent_s, "best": self.best.as_dict(),
                 "stopped": self.stopped, "history": [e.as_dict() for e in self.history]}  # fmt: skip
        now = {**self.bridge.state(), **{n: v.numpy() for n, v in self.objective.variables.items()}}
        slots = {name: slot.numpy() for name, slot in self.optimiser.slots.items()}
        self.keeper.save(Checkpoint(facts, {"weights": now, "slots": slots, "best": self.best_weights}))

    def _resume(self) -> float:
        """Go on where a checkpoint stands; the seconds that were spent up to there."""
        self._check_s = 0.0
        found = self.keeper.load()
        if found is None:
            return 0.0
        self.epoch, self.step, self.stopped = found.facts["epoch"], found.facts["step"], found.facts["stopped"]
        self.history, self.best = [Epoch(**e) for e in found.facts["history"]], Epoch(**found.facts["best"])
        self.best_weights = dict(found.arrays["best"])
        self.bridge.restore(found.arrays["weights"])
        for name, variable in self.objective.variables.items():
            variable.assign(found.arrays["weights"][name])
        optimise.restore(self.optimiser, found.arrays.get("slots", {}))
        return float(found.facts["spent_s"])
