"""Pictures flipped, shifted and blended while they are trained on, the same way for the same seed.

What a shift uncovers is mirrored, so that no number comes up that the model's preprocessing never makes.

Sources: Yun et al. 2019, https://arxiv.org/abs/1905.04899 (boxes of other pictures); Beyer et al. 2022,
https://arxiv.org/abs/2106.05237 (a teacher that is asked about blends).
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from exporter.errors import UsageError
from exporter.graph import Graph, Port, shape_of

SMALLEST = 16
"""Pictures smaller than this are left alone."""

SHARE = 8
"""Shifts go up to an eighth of the side: 4 pixels of 32, as usual on CIFAR."""

BLENDING = 4
"""Added to a seed for what blends draw, and up to five more: shifts add their axis, 1 to 3, and flips nothing."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How the pictures of one input are changed.

    Attributes:
        rows: Axis of the height, in the source's layout; the width is the next.
        flip: Mirror half of them.
        shift: Up to so many pixels along both axes.
        blend: Put a box of another picture of the batch over every one; all in a batch are as far from theirs.
    """

    rows: int
    flip: bool
    shift: tuple[int, int]
    blend: bool = False

    def __call__(self, x: Any, seed: Any) -> Any:
        """x: a batch in the source's layout; seed: two integers, other ones for every step."""
        for axis, furthest in zip((self.rows, self.rows + 1), self.shift, strict=True):
            x = _shifted(x, axis, furthest, seed + axis)
        if self.flip:
            x = tf.where(_drawn(x, seed) < 0.5, tf.reverse(x, [self.rows + 1]), x)
        if self.blend:
            distance = tf.random.stateless_uniform((), seed + BLENDING, 0, tf.shape(x)[0], tf.int32)
            x = tf.where(_boxes(x, self.rows, seed + BLENDING), tf.roll(x, distance, 0), x)
        return x


def _drawn(x: Any, seed: Any) -> Any:
    """A number between 0 and 1 for each picture, (n, 1, 1, 1)."""
    return tf.random.stateless_uniform((tf.shape(x)[0], 1, 1, 1), seed)


def _boxes(x: Any, rows: int, seed: Any) -> Any:
    """Where a box of each picture is: of any share of its area, drawn evenly, around a point anywhere in it."""
    side = tf.sqrt(_drawn(x, seed + 1))

    def within(axis: int) -> Any:
        size = x.shape[axis]
        places = tf.reshape(tf.range(size, dtype=tf.float32) + 0.5, [size if a == axis else 1 for a in range(4)])
        return tf.abs(places - size * _drawn(x, seed + 2 + axis)) < 0.5 * size * side

    return within(rows) & within(rows + 1)


def _shifted(x: Any, axis: int, furthest: int, seed: Any) -> Any:
    """Every sample along one axis by its own distance."""
    size, count = x.shape[axis], tf.shape(x)[0]
    distance = tf.random.stateless_uniform((count, 1), seed, -furthest, furthest + 1, tf.int32)
    index = tf.abs(tf.range(size)[None] + distance)
    index = tf.where(index >= size, 2 * (size - 1) - index, index)
    return tf.gather(x, index, axis=axis, batch_dims=1)


def augmentations(graph: Graph, flip: bool | None, *, blend: bool = False) -> dict[str, Augmentation]:
    """By source name of the input, for those that take pictures: 1 or 3 channels, both sides of some size.

    Args:
        graph: The model.
        flip: None: pictures in colour may be mirrored, grey ones (digits, letters) not.
        blend: Whether pictures are blended.

    Raises:
        UsageError: If pictures are to be blended and no input takes any.
    """
    values = {str(v.name): v for v in graph.model.graph.inputs}
    found = {p.source_name: _augmentation(p, shape_of(values[p.name]), flip, blend) for p in graph.inputs}
    changed = {name: a for name, a in found.items() if a is not None}
    if blend and not changed:
        raise UsageError("blend: no input takes pictures", hint=f"pictures have 1 or 3 channels and sides from {SMALLEST}: leave it out")
    return changed


def _augmentation(port: Port, shape: tuple[int, ...], flip: bool | None, blend: bool) -> Augmentation | None:
    if port.layout not in ("nchw", "nhwc") or shape[1] not in (1, 3) or min(shape[2:]) < SMALLEST:
        return None
    flips = shape[1] == 3 if flip is None else flip
    return Augmentation(1 if port.layout == "nhwc" else 2, flips, (shape[2] // SHARE, shape[3] // SHARE), blend)
