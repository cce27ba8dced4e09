"""The loss of a student: labels, and what its teacher says, over all outputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from exporter.array import Array
from exporter.errors import DataError, UsageError
from exporter.graph import Graph, shape_of
from exporter.train import losses
from exporter.train.bridge import Bridge, enter, leave
from exporter.train.call import Carried
from exporter.train.features import Features
from exporter.train.heads import Head, heads_of, labelled
from exporter.train.settings import TrainSettings

_HEADS: dict[str, Callable[[Any, Any], Any]] = {"binary": losses.binary_kd, "numbers": losses.relative_error}


class Objective:
    """What one batch is worth.

    Args:
        student: The bridge that is trained.
        teacher: Of the same inputs and outputs; None: labels alone.
        settings: Kinds of outputs, loss and weights.
        labels: Class indices of all samples, None where the data has none.

    Raises:
        DataError: If labels go beyond the classes.
        UsageError: If there is nothing to learn from, or the teacher's inputs or outputs are others.
    """

    def __init__(self, student: Bridge, teacher: Graph | None, settings: TrainSettings, labels: Array | None) -> None:
        self.student, self.settings = student, settings
        self.teacher = None if teacher is None or settings.distill == "none" else Bridge(teacher)
        if self.teacher is None and labels is None:
            raise UsageError("nothing to learn from: the data has no labels, and there is no teacher", hint="give either")
        if self.teacher is None and settings.blend:
            raise UsageError("blended pictures have no labels, and there is no teacher", hint="leave blend out")
        self._label_weight = 1.0 if self.teacher is None else 0.0 if settings.blend else settings.label_weight
        found = heads_of(student.graph, settings.heads)
        self.heads = labelled(found, student.graph) if labels is not None else found
        self.labelled = None if labels is None else next(h for h in self.heads if h.kind != "numbers")
        if self.labelled is not None and labels is not None:
            _require_fit(self.labelled, student.graph, labels)
        self.features: Features | None = None
        if self.teacher is not None:
            self._pairs = paired(self.heads, student.graph, self.teacher.graph)
            if settings.distill == "features":
                self.features = Features(student.graph, self.teacher.graph, settings.seed)

    @property
    def variables(self) -> dict[str, Any]:
        """What is trained: the student's weights, and adapters."""
        adapters = {} if self.features is None else {f"adapter/{name}": a for name, a in self.features.adapters.items()}
        return {**self.student.trainable, **adapters}

    @property
    def memorable(self) -> bool:
        """Whether all that the teacher says is in its outputs, so that `ask` can be asked ahead."""
        return self.teacher is not None and self.features is None

    def __call__(self, inputs: Mapping[str, Any], labels: Any, *, training: bool, said: Sequence[Any] | None = None) -> tuple[Any, Any]:
        """The loss, and how many answers are right (None without labels).

        Args:
            inputs: By source name, in the source's layout.
            labels: Class indices (n,), or None.
            training: See `Bridge`.
            said: What `ask` has said of these inputs; None: the teacher is asked now.
        """
        more = () if self.features is None else self.features.names
        live = training and not self.settings.freeze_norms
        got = self.student.values(inputs, [h.value for h in self.heads] + list(more), training=live)
        parts = [] if self.teacher is None else self._taught(inputs, got, said)
        right = None
        if self.labelled is not None:
            logits = got[self.labelled.value].plain().value
            parts.append(self._label_weight * _label_loss(self.labelled, logits, labels))
            right = _right(self.labelled, logits, labels)
        return tf.add_n(parts), right

    def ask(self, inputs: Mapping[str, Any]) -> list[Any]:
        """What the teacher says of each output, in the Graph's layout."""
        said = self._values(inputs, ())
        return [said[t.value].plain().value for _, t in self._pairs]

    def _values(self, inputs: Mapping[str, Any], more: tuple[str, ...]) -> dict[str, Carried]:
        assert self.teacher is not None
        ports = zip(self.student.graph.inputs, self.teacher.graph.inputs, strict=True)
        theirs = {t.source_name: leave(enter(inputs[s.source_name], s), t) for s, t in ports}
        said = self.teacher.values(theirs, [t.value for _, t in self._pairs] + list(more))
        return {name: x.like(tf.stop_gradient(x.value)) for name, x in said.items()}

    def _taught(self, inputs: Mapping[str, Any], got: Mapping[str, Carried], said: Sequence[Any] | None) -> list[Any]:
        if self.features is not None:
            values = self._values(inputs, self.features.names)
            said = [values[t.value].plain().value for _, t in self._pairs]
            inner = [self.features.loss(got, values)]
        else:
            said, inner = self.ask(inputs) if said is None else said, []
        return [self._head_loss(s, got[s.value].plain().value, answer) for (s, _), answer in zip(self._pairs, said, strict=True)] + inner

    def _head_loss(self, head: Head, student: Any, teacher: Any) -> Any:
        scores = losses.logit_kd if self.settings.distill == "logits" else losses.dist
        return {**_HEADS, "classes": scores}[head.kind](student, teacher)


def _label_loss(head: Head, logits: Any, labels: Any) -> Any:
    return losses.cross_entropy(logits, labels) if head.kind == "classes" else losses.binary_cross_entropy(logits, labels)


def _require_fit(head: Head, graph: Graph, labels: Array) -> None:
    ends = zip(graph.outputs, graph.model.graph.outputs, strict=True)
    width = next(shape_of(v)[1] for p, v in ends if p.source_name == head.source_name)
    if int(labels.max()) >= max(width, 2):
        problem = f"a label is {int(labels.max())}, and output {head.source_name} has {width} scores"
        raise DataError(problem, hint="give the data that the model was made for")


def _right(head: Head, logits: Any, labels: Any) -> Any:
    said = tf.argmax(logits, 1) if head.kind == "classes" else tf.cast(logits[:, 0] > 0, tf.int64)
    return tf.reduce_sum(tf.cast(said == tf.cast(labels, tf.int64), tf.int32))


def paired(heads: tuple[Head, ...], student: Graph, teacher: Graph) -> list[tuple[Head, Head]]:
    """Each output of the student with the teacher's.

    Raises:
        UsageError: If inputs or outputs are others.
    """
    for ours, theirs, what in ((student.model.graph.inputs, teacher.model.graph.inputs, "inputs"),
                               (student.model.graph.outputs, teacher.model.graph.outputs, "outputs")):  # fmt: skip
        a, b = ([shape_of(v) for v in side] for side in (ours, theirs))
        if a != b:
            raise UsageError(f"the teacher has {what} of shapes {b}, the model {a}", hint="a teacher answers the same question")
    others = heads_of(teacher, {p.source_name: h.kind for p, h in zip(teacher.outputs, heads, strict=True)})
    return list(zip(heads, others, strict=True))
