"""One line of a `.param` file and the weights that stand for it in the `.bin`."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from exporter.array import Array

Param = int | float | tuple[int, ...] | tuple[float, ...]

FLOAT_MAX = 3.4e38
"""What stands for infinity in a `.param`, whose parser knows no `inf`."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A block of weights.

    Attributes:
        load: Gives the float32 array, or the int8 one, when it is written, so that one layer's weights at a time are in memory.
        tagged: Whether the block begins with a type tag, and so may be float16; ncnn reads the others as bare float32.
        int8: Whether it holds integers of one byte; such a block is always tagged.
    """

    load: Callable[[], Array]
    tagged: bool = False
    int8: bool = False


def raw(array: Array) -> Weight:
    """A small float32 block without tag: biases, slopes, scales."""
    return Weight(lambda: np.asarray(array, np.float32))


@dataclass(slots=True)
class Int8:
    """How a layer computes in integers; real = integer * scale.

    Attributes:
        input: Scale of the input, which the layer rounds by itself unless it comes rounded.
        weight: Scales of the weights as the `.bin` lists them: one an output channel, or one a group.
        output: Scale of the output where the next layers take integers, None where the layer gives floats.
    """

    input: float
    weight: Array
    output: float | None = None


@dataclass(slots=True)
class Layer:
    """A layer as ncnn knows it.

    Attributes:
        kind: ncnn's type name, e.g. "Convolution".
        name: Free of white space and unlike any other layer's name.
        inputs: Names of the blobs read.
        outputs: Names of the blobs made.
        params: By ncnn's parameter number; tuples become arrays (-23300 - number).
        weights: In the order in which ncnn reads them.
        int8: Of a layer that computes in integers.
    """

    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]
    params: dict[int, Param] = field(default_factory=dict)
    weights: list[Weight] = field(default_factory=list)
    int8: Int8 | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """Where a value lives: a blob's name and its shape, slowest axis first, without batch.

    The elements are the value's, in the value's order; the shape may be another one, e.g. (C,) for a value of (1, C, 1, 1).
    """

    name: str
    shape: tuple[int, ...]
