"""Pictures flipped and shifted while they are trained on: each by itself, the same for the same seed.

What a shift uncovers is mirrored, so that no number comes up that the model's preprocessing never makes.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from exporter.graph import Graph, Port, shape_of

SMALLEST = 16
"""Pictures smaller than this are left alone."""

SHARE = 8
"""Shifts go up to an eighth of the side: 4 pixels of 32, as usual on CIFAR."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How the pictures of one input are changed.

    Attributes:
        rows: Axis of the height, in the source's layout; the width is the next.
        flip: Mirror half of them.
        shift: Up to so many pixels along both axes.
    """

    rows: int
    flip: bool
    shift: tuple[int, int]

    def __call__(self, x: Any, seed: Any) -> Any:
        """x: a batch in the source's layout; seed: two integers, other ones for every step."""
        for axis, furthest in zip((self.rows, self.rows + 1), self.shift, strict=True):
            x = _shifted(x, axis, furthest, seed + axis)
        if not self.flip:
            return x
        mirrored = tf.random.stateless_uniform((tf.shape(x)[0], 1, 1, 1), seed) < 0.5
        return tf.where(mirrored, tf.reverse(x, [self.rows + 1]), x)


def _shifted(x: Any, axis: int, furthest: int, seed: Any) -> Any:
    """Every sample along one axis by its own distance."""
    size, count = x.shape[axis], tf.shape(x)[0]
    distance = tf.random.stateless_uniform((count, 1), seed, -furthest, furthest + 1, tf.int32)
    index = tf.abs(tf.range(size)[None] + distance)
    index = tf.where(index >= size, 2 * (size - 1) - index, index)
    return tf.gather(x, index, axis=axis, batch_dims=1)


def augmentations(graph: Graph, flip: bool | None) -> dict[str, Augmentation]:
    """By source name of the input, for those that take pictures: 1 or 3 channels, both sides of some size.

    Args:
        graph: The model.
        flip: None: pictures in colour may be mirrored, grey ones (digits, letters) not.
    """
    values = {str(v.name): v for v in graph.model.graph.inputs}
    found = {p.source_name: _augmentation(p, shape_of(values[p.name]), flip) for p in graph.inputs}
    return {name: a for name, a in found.items() if a is not None}


def _augmentation(port: Port, shape: tuple[int, ...], flip: bool | None) -> Augmentation | None:
    if port.layout not in ("nchw", "nhwc") or shape[1] not in (1, 3) or min(shape[2:]) < SMALLEST:
        return None
    return Augmentation(1 if port.layout == "nhwc" else 2, shape[1] == 3 if flip is None else flip, (shape[2] // SHARE, shape[3] // SHARE))
