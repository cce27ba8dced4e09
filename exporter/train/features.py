"""Feature distillation: inner values of the student, through a 1x1 adapter, shall be those of the teacher.

The adapters are trained along and dropped at the end. Source: Romero et al. 2015, https://arxiv.org/abs/1412.6550.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter.array import Array
from exporter.errors import UsageError
from exporter.graph import Graph, shape_of
from exporter.train.call import Carried
from exporter.train.losses import relative_error


class Features:
    """Pairs of values, one a resolution: the last one that student and teacher both have under the same name.

    Args:
        student: The graph that is trained.
        teacher: The graph it came from; may have more channels.
        seed: Of the adapters' first numbers.

    Raises:
        UsageError: If they have no maps in common.
    """

    def __init__(self, student: Graph, teacher: Graph, seed: int) -> None:
        self.names = pairs(student, teacher)
        if not self.names:
            raise UsageError(
                f"{student.name} and its teacher have no inner maps of the same name and size", hint="distil another way: distill='dist'"
            )
        rng = np.random.default_rng(seed)
        ours, theirs = _maps(student), _maps(teacher)
        self.adapters: dict[str, Any] = {n: tf.Variable(_adapter(ours[n][1], theirs[n][1], rng)) for n in self.names}

    def loss(self, student: Mapping[str, Carried], teacher: Mapping[str, Carried]) -> Any:
        """Mean over the pairs of their relative squared error."""
        parts = [relative_error(tf.tensordot(student[n].last().value, a, 1), teacher[n].last().value) for n, a in self.adapters.items()]
        return tf.add_n(parts) / len(parts)


def pairs(student: Graph, teacher: Graph) -> tuple[str, ...]:
    """Names of maps, one a resolution: the last one that both have."""
    ours, theirs = _maps(student), _maps(teacher)
    return tuple({ours[name][2:]: name for name in ours if name in theirs and ours[name][2:] == theirs[name][2:]}.values())


def _maps(graph: Graph) -> dict[str, tuple[int, ...]]:
    shapes = {str(n.outputs[0].name): shape_of(n.outputs[0]) for n in graph.nodes if n.outputs[0].shape is not None}
    return {name: shape for name, shape in shapes.items() if len(shape) == 4 and min(shape[2:]) > 1}


def _adapter(channels: int, wanted: int, rng: np.random.Generator) -> Array:
    """Near the identity, as far as there is one."""
    noise = rng.standard_normal((channels, wanted)) * 0.1 / np.sqrt(channels)
    return np.asarray(np.eye(channels, wanted) + noise, np.float32)
