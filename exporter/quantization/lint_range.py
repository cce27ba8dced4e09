"""Does the range of the values agree with the preprocessing?

mean and std of about 0..255 take pixels; of about 0..1 they take pictures in that range; 0 and 1 take what the model takes: pixels,
where it scales them itself.
"""

from collections.abc import Iterator

import numpy as np

from exporter.data import InputSpec
from exporter.preprocessing import Preprocessing
from exporter.quantization.finding import Finding, refuse
from exporter.quantization.lint_look import InputLook
from exporter.quantization.lint_pictures import may_be_picture

UNIT = 2.0
"""Numbers of mean and std up to it are meant for values in 0..1 (or -1..1)."""

SQUASHED = 0.1
"""A range of values that is less than this share of std is made nearly constant."""

RAW = "give raw pixels 0..255, or describe the data as it is: --mean 0 --std 1"


def in_range(spec: InputSpec, seen: InputLook, prep: Preprocessing, takes_pixels: bool) -> Iterator[Finding]:
    """At most one finding about an input's range."""
    said = f"input {spec.name}: values lie in {seen.low:.4g} to {seen.high:.4g}"
    if seen.low == seen.high:
        return
    if prep.mean == (0.0,) and prep.std == (1.0,):
        yield from _plain(spec, seen, prep, takes_pixels, said)
    elif max(map(abs, (*prep.mean, *prep.std))) > UNIT:
        yield from _for_pixels(spec, seen, prep, said)
    elif seen.all_whole_pixels:
        yield refuse("range", f"{said}, but mean {_text(prep.mean)} and std {_text(prep.std)} are for values in 0..1",
                     "give --mean and --std for pixels 0..255: 255 times as large")  # fmt: skip


def _plain(spec: InputSpec, seen: InputLook, prep: Preprocessing, takes_pixels: bool, said: str) -> Iterator[Finding]:
    """Nothing is subtracted or divided by."""
    if takes_pixels and seen.high <= UNIT:
        yield refuse("range", f"{said}, but the model scales pixels 0..255 itself", "give raw pixels 0..255")
    elif prep.assumed and seen.all_whole_pixels and may_be_picture(spec) and not takes_pixels:
        yield refuse("range", f"{said}, and nothing tells that the model takes them so: mean 0, std 1 is only assumed",
                     "give the model's --mean and --std; --mean 0 --std 1 if it takes pixels 0..255 as they are")  # fmt: skip


def _for_pixels(spec: InputSpec, seen: InputLook, prep: Preprocessing, said: str) -> Iterator[Finding]:
    """mean and std are for pixels, or for whatever the user's features are: then they centre and scale them."""
    span, middle = seen.high - seen.low, (seen.high + seen.low) / 2
    mean, std = float(np.mean(prep.mean)), float(np.mean(np.abs(prep.std)))
    numbers = f"mean {_text(prep.mean)} and std {_text(prep.std)}"
    if span < SQUASHED * std or abs(middle - mean) > 2 * span:
        yield refuse("range", f"{said}, but {numbers} are for pixels 0..255: the data is scaled already", RAW)
    elif spec.channels == 3 and (seen.low < -1 or seen.high > 256):
        yield refuse("range", f"{said}, but {numbers} are for pixels 0..255", RAW)


def _text(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{x:g}" for x in numbers)
