"""dL/dw of a net as it stands: what scores of channels are made of. Batch norms are frozen, nothing is trained."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter.array import Array
from exporter.data import Dataset
from exporter.errors import UsageError
from exporter.graph import Graph
from exporter.train import drawn
from exporter.train.bridge import Bridge, enter, leave
from exporter.train.feed import Batch, Feed
from exporter.train.heads import heads_of
from exporter.train.objective import Objective, paired
from exporter.train.reconstruction import Reconstruction
from exporter.train.separate import separate
from exporter.train.settings import TrainSettings

BATCH = 32
BATCHES = 16
"""Of the samples, drawn by the seed; fewer where there are not so many."""


class Question:
    """What the net is asked: the loss of a batch.

    Args:
        student: The net.
        teacher: Answers where the data have no labels; None: labels alone.
        labels: Class indices of all samples, or None.
        reconstruction: Of the teacher's maps, added to the loss; None: not asked.
        seed: Of answers that are drawn.

    Raises:
        DataError: If labels go beyond the classes.
        UsageError: If there are neither labels nor a teacher, or the teacher has other inputs or outputs.
    """

    def __init__(
        self, student: Bridge, teacher: Bridge | None, labels: Array | None, reconstruction: Reconstruction | None, seed: int
    ) -> None:
        self.student, self.teacher, self.reconstruction = student, teacher, reconstruction
        self.random = np.random.default_rng(seed)
        if labels is None and teacher is None:
            raise UsageError("no gradients: the data have no labels, and there is no teacher", hint="give either")
        self.task = None if labels is None else Objective(student, None, TrainSettings(distill="none"), labels)
        self.pairs = [] if labels is not None or teacher is None else paired(heads_of(student.graph, {}), student.graph, teacher.graph)
        self.variables = list(student.trainable.values())
        self._gradient = tf.function(self._gradient_of, reduce_retracing=True, autograph=False)

    def __call__(self, batch: Batch) -> list[Any]:
        """The gradient of each variable, None for those that the loss does not know."""
        inputs, labels = batch
        theirs = {} if self.teacher is None else _of_teacher(self.student, self.teacher, inputs)
        names = [t.value for _, t in self.pairs]
        said = {} if self.teacher is None or not names else self.teacher.values(theirs, names)
        answers = [drawn.draw(t, said[t.value].plain().value.numpy(), self.random) for _, t in self.pairs]
        tensors = {name: tf.constant(x) for name, x in inputs.items()}
        told = None if labels is None else tf.constant(labels)
        found: list[Any] = self._gradient(tensors, theirs, told, [tf.constant(a) for a in answers])
        return found

    def _gradient_of(self, inputs: Mapping[str, Any], theirs: Mapping[str, Any], labels: Any, answers: list[Any]) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.variables)
            parts = []
            if self.task is not None:
                parts.append(self.task(inputs, labels, training=False)[0])
            if self.pairs:
                heads = [s for s, _ in self.pairs]
                parts.append(drawn.loss(heads, self.student.values(inputs, [h.value for h in heads]), answers))
            if self.reconstruction is not None:
                parts.append(self.reconstruction.loss(inputs, theirs))
            loss = tf.add_n(parts)
        return tape.gradient(loss, self.variables)


def each(
    graph: Graph,
    data: Dataset,
    *,
    teacher: Graph | None = None,
    reconstruction: bool = False,
    batches: int = BATCHES,
    batch: int = BATCH,
    seed: int = 0,
) -> Iterator[dict[str, Array]]:
    """The gradient of the mean loss of each batch: by constant's name, in its own shape.

    The loss is that of the labels; where there are none, of answers drawn from the teacher, see `drawn`.

    Args:
        graph: Cleaned, batch norms live, or finished; stays as it is.
        data: Its samples are preprocessed for the graph's source.
        teacher: Mostly the graph before it was compressed; not needed with labels.
        reconstruction: Whether the loss holds too how far the graph's maps are from the teacher's.
        batches: How many, at most.
        batch: Samples in each; fewer where the data have fewer.
        seed: Of the samples, their order and the answers that are drawn.

    Raises:
        DataError: If labels go beyond the classes.
        UsageError: If there are neither labels nor a teacher, or the two nets do not go together.
        UnsupportedOpError: If the model has layers that the trainer does not know; names them.
    """
    student = Bridge(separate(graph))
    other = None if teacher is None else Bridge(separate(teacher))
    feed = Feed(data, np.random.default_rng(seed).permutation(len(data))[: batch * batches].tolist())
    maps = None
    if reconstruction and other is not None:
        maps = Reconstruction.of(student, other, ((x, _of_teacher(student, other, x)) for x, _ in feed.in_order(batch)))
    question = Question(student, other, data.labels, maps, seed)
    for part in feed.shuffled(batch, [seed]):
        yield _by_name(graph, student, question(part))


def gradients(graph: Graph, data: Dataset, **how: Any) -> dict[str, Array]:
    """The sum of `each`, with the same arguments."""
    total: dict[str, Array] = {}
    for found in each(graph, data, **how):
        total = {name: total[name] + g if total else g for name, g in found.items()}
    return total


def _by_name(graph: Graph, student: Bridge, found: list[Any]) -> dict[str, Array]:
    """Of the given graph's constants: one that got copies, a copy a role, has the sum over them."""
    slopes = dict(zip(student.trainable, found, strict=True))
    result: dict[str, dict[str, Array]] = {}
    for ours, copy in zip(graph.nodes, student.graph.nodes, strict=True):
        for value, own in zip(ours.inputs, copy.inputs, strict=True):
            name = "" if own is None else str(own.name)
            if value is None or value.const_value is None or name not in slopes:
                continue
            shape, slope = tuple(int(str(d)) for d in value.const_value.shape), slopes[name]
            turned = None if slope is None else student.roles[name].to_array(tf.convert_to_tensor(slope).numpy(), shape)
            result.setdefault(str(value.name), {})[name] = np.zeros(shape, np.float32) if turned is None else turned
    return {name: np.asarray(sum(parts.values())) for name, parts in result.items()}


def _of_teacher(student: Bridge, teacher: Bridge, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The student's inputs under the teacher's names and in its layout."""
    ports = zip(student.graph.inputs, teacher.graph.inputs, strict=True)
    return {t.source_name: leave(enter(inputs[s.source_name], s), t) for s, t in ports}
