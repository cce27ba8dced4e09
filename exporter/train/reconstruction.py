"""How far the maps of a net are from its teacher's, the best linear map of channels between them set apart.

A net that has lost channels holds its teacher's maps in fewer channels: W in min over W of |student W - teacher|² comes from least
squares, and what is left is the loss. Source of the loss: Zhuang et al. 2018, https://arxiv.org/abs/1810.11809.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exporter.array import Array
from exporter.train.bridge import Bridge
from exporter.train.features import pairs
from exporter.train.losses import relative_error

RIDGE = 1e-4
"""Of the mean of the diagonal."""


class Reconstruction:
    """The loss over the last map of each resolution that both have under the same name.

    Args:
        student: The net.
        teacher: What it came from.
        maps: By name of the map, (channels, channels of the teacher).
    """

    def __init__(self, student: Bridge, teacher: Bridge, maps: Mapping[str, Array]) -> None:
        self.student, self.teacher, self.maps = student, teacher, maps

    @classmethod
    def of(cls, student: Bridge, teacher: Bridge, batches: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> "Reconstruction":
        """Least squares over the inputs of both, batch after batch."""
        names = pairs(student.graph, teacher.graph)
        squares: dict[str, Array] = dict.fromkeys(names, np.zeros(()))
        products: dict[str, Array] = dict.fromkeys(names, np.zeros(()))
        for ours, theirs in batches if names else ():
            a, b = _tables(student, ours, names), _tables(teacher, theirs, names)
            for name in names:
                squares[name] = squares[name] + a[name].T @ a[name]
                products[name] = products[name] + a[name].T @ b[name]
        return cls(student, teacher, {name: _solved(squares[name], products[name]) for name in names})

    def loss(self, inputs: Mapping[str, Any], theirs: Mapping[str, Any]) -> Any:
        """Mean over the maps of their relative squared error; 0 where the nets have none in common."""
        if not self.maps:
            return tf.constant(0.0)
        got, wanted = self.student.values(inputs, list(self.maps)), self.teacher.values(theirs, list(self.maps))
        parts = [
            relative_error(tf.tensordot(got[n].last().value, w, 1), tf.stop_gradient(wanted[n].last().value)) for n, w in self.maps.items()
        ]
        return tf.add_n(parts) / len(parts)


def _solved(square: Array, product: Array) -> Array:
    ridge = RIDGE * float(np.trace(square)) / len(square) + np.finfo(np.float32).tiny
    return np.asarray(np.linalg.solve(square + ridge * np.eye(len(square)), product), np.float32)


def _tables(bridge: Bridge, inputs: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Array]:
    """Maps as (places of all samples, channels)."""
    found = {name: x.last().value.numpy() for name, x in bridge.values(inputs, names).items()}
    return {name: x.reshape(-1, x.shape[-1]) for name, x in found.items()}
