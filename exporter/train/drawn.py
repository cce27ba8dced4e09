"""A teacher's answers as labels for data that have none: drawn by chance, as sure as the teacher is.

A net that is its own teacher loses nothing, and the gradient of that is 0. Against drawn answers it is not: its mean square is the
curvature of the teacher's loss (Fisher's information), which says what a change of the weights would cost.
Source: Martens 2014, https://arxiv.org/abs/1412.1193, sections 8 and 9.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from exporter.array import Array
from exporter.train import losses
from exporter.train.call import Carried
from exporter.train.heads import Head


def draw(head: Head, said: Array, random: np.random.Generator) -> Array:
    """One answer a sample.

    Args:
        head: What the output is.
        said: The teacher's logits or numbers, (n, ...).
        random: To draw with.

    Returns:
        Class indices (n,) of scores; numbers with noise as large as they vary.
    """
    if head.kind == "classes":
        return np.asarray((said + random.gumbel(size=said.shape)).argmax(1), np.int64)
    if head.kind == "binary":
        return np.asarray(random.logistic(size=len(said)) < said[:, 0], np.int64)
    return np.asarray(said + said.std() * random.standard_normal(said.shape), np.float32)


def loss(heads: Sequence[Head], got: Mapping[str, Carried], answers: Sequence[Any]) -> Any:
    """Sum over the outputs.

    Args:
        heads: Of the student.
        got: Its values by name.
        answers: What `draw` gave for each head.
    """
    return tf.add_n([_loss(h.kind, got[h.value].plain().value, a) for h, a in zip(heads, answers, strict=True)])


def _loss(kind: str, said: Any, answer: Any) -> Any:
    by_kind = {"classes": losses.cross_entropy, "binary": losses.binary_cross_entropy}
    return by_kind.get(kind, losses.relative_error)(said, answer)
