"""What a net is trained for. Every loss is a mean over the samples of a batch.

Sources: Hinton et al. 2015, https://arxiv.org/abs/1503.02531 (logits); Huang et al. 2022, https://arxiv.org/abs/2205.10536 (DIST).
"""

from typing import Any

import tensorflow as tf

TEMPERATURE = 4.0

DIST_WEIGHT = 2.0
"""Of each of its two parts, as in the paper."""

_TINY = 1e-8


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Of class indices (n,) against logits (n, classes)."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def binary_cross_entropy(logits: Any, labels: Any) -> Any:
    """Of labels 0 and 1 (n,) against logits (n, 1)."""
    wanted = tf.reshape(tf.cast(labels, logits.dtype), (-1, 1))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits))


def logit_kd(student: Any, teacher: Any, temperature: float = TEMPERATURE) -> Any:
    """T² KL(teacher ‖ student) of the softened scores."""
    wanted = tf.nn.softmax(teacher / temperature)
    far = tf.nn.softmax_cross_entropy_with_logits(wanted, student / temperature)
    least = tf.nn.softmax_cross_entropy_with_logits(wanted, teacher / temperature)
    return tf.reduce_mean(far - least) * temperature**2


def binary_kd(student: Any, teacher: Any) -> Any:
    """The same for one score of two classes."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(teacher), student))


def dist(student: Any, teacher: Any, temperature: float = TEMPERATURE) -> Any:
    """T² of (1 - correlation over the classes of each sample) and (1 - correlation over the samples of each class), each weighted.

    Two classes correlate always: there it is `logit_kd`.
    """
    if student.shape[-1] < 3:
        return logit_kd(student, teacher, temperature)
    a, b = tf.nn.softmax(student / temperature), tf.nn.softmax(teacher / temperature)
    between = tf.reduce_mean(1 - _correlation(a, b, 1))
    within = tf.reduce_mean(1 - _correlation(a, b, 0))
    return DIST_WEIGHT * temperature**2 * (between + within)


def _correlation(a: Any, b: Any, axis: int) -> Any:
    a, b = a - tf.reduce_mean(a, axis, keepdims=True), b - tf.reduce_mean(b, axis, keepdims=True)
    lengths = tf.sqrt(tf.reduce_sum(a * a, axis) * tf.reduce_sum(b * b, axis) + _TINY**2)
    return tf.reduce_sum(a * b, axis) / lengths


def relative_error(student: Any, teacher: Any) -> Any:
    """Squared error over the teacher's variance in this batch."""
    variance = tf.math.reduce_variance(teacher)
    return tf.reduce_mean(tf.math.squared_difference(student, teacher)) / (variance + _TINY)
