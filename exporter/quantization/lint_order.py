"""Do the channels stand where the preprocessing says? Only what the numbers prove is refused."""

from collections.abc import Iterator

import numpy as np

from exporter.array import Array
from exporter.data import InputSpec
from exporter.preprocessing import Preprocessing
from exporter.quantization.finding import Finding, refuse, warn
from exporter.quantization.lint_look import InputLook

IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
"""Known to everybody, in the order red, green, blue; times 255."""

NEAR = 0.9
"""Caffe's mean is 123.68, 116.779, 103.939: up to so far from the other."""

CLEAR = 8.0
"""Levels by which data must be nearer to the mean in reverse, on average over the channels, before anything is said."""


def in_order(spec: InputSpec, seen: InputLook, prep: Preprocessing) -> Iterator[Finding]:
    """Findings about an input's channels."""
    if spec.channels != 3 or not seen.grey:
        return
    n = len(seen.grey)
    if sum(seen.planar) > n / 2:
        yield refuse("channel order", f"input {spec.name}: {sum(seen.planar)} of {n} pictures hold their colours one after the other",
                     "transpose the data to (n, height, width, 3); reshaping it mixes rows and colours")  # fmt: skip
    elif all(seen.grey):
        yield warn("grey", f"input {spec.name} takes 3 channels, all {n} pictures are grey: colours are not seen",
                   "give coloured pictures, unless the model sees grey ones in use")  # fmt: skip
    yield from _known_mean(spec, prep)
    yield from _own_mean(spec, seen, prep)


def _known_mean(spec: InputSpec, prep: Preprocessing) -> Iterator[Finding]:
    """ImageNet's mean says which channel is red."""
    if len(prep.mean) != 3:
        return
    scale = 255.0 if max(map(abs, prep.mean)) <= 1 else 1.0
    mean = np.array(prep.mean) * scale
    known = np.array(IMAGENET["mean"])
    order = "rgb" if np.abs(mean - known).max() < NEAR else "bgr" if np.abs(mean[::-1] - known).max() < NEAR else None
    if order is not None and order != prep.color:
        message = f"input {spec.name}: mean {_text(prep.mean)} is ImageNet's in the order {order}, the colour is {prep.color}"
        yield refuse("channel order", message, f"give --color {order}, or --mean {_text(prep.mean[::-1])}")


def _own_mean(spec: InputSpec, seen: InputLook, prep: Preprocessing) -> Iterator[Finding]:
    """A mean a channel is the training data's: data that fits it far better in reverse may be reversed."""
    if len(prep.mean) != 3 or not any(seen.sums) or len(seen.grey) < 32:
        return
    own, mean = seen.sums / len(seen.grey), np.array(prep.mean)
    straight, reverse = (_distance(own, m) for m in (mean, mean[::-1]))
    if straight - reverse > CLEAR:
        yield warn("channel order", f"input {spec.name}: the data's means {_text(tuple(own))} are those of --mean in reverse",
                   f"check whether it is {prep.color}")  # fmt: skip


def _distance(own: Array, mean: Array) -> float:
    """How far the channels' means are from others, apart from brightness."""
    return float(np.abs((own - own.mean()) - (mean - mean.mean())).mean())


def _text(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{x:.4g}" for x in numbers)
