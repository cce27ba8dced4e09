"""From a picture to a model's input: y = (x - mean) / std, with x the pixel in 0..255.

Resizing is Pillow's bilinear (a triangle kernel widened by the shrink factor); decoding ignores the EXIF orientation. What is done here
is written into every manifest and done again by whoever runs the file, so it never changes silently.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from exporter.array import Array
from exporter.errors import DataError, UsageError, unknown_name
from exporter.settings import NUMBER, check_keys

COLORS = ("rgb", "bgr", "gray")
PAD_VALUE = 114
"""What letterbox fills the bars with."""

DEFAULT_CROP = 0.875
UNREADABLE = (OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, MemoryError, struct.error, zlib.error,
              Image.DecompressionBombError)  # fmt: skip
"""What Pillow's decoders are seen to raise on damaged files."""

_KEYS: dict[str, Any] = {"mean": (*NUMBER, list), "std": (*NUMBER, list), "color": str, "resize": str}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How one input is made from pixels.

    Attributes:
        mean: Subtracted; one number, or one a channel in the order of `color`.
        std: Divided by; likewise.
        color: "rgb", "bgr" or "gray".
        resize: "squash", "crop:F" with F in (0, 1], or "letterbox".
        assumed: Nothing told the mean and std: these are a guess.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    color: str = "rgb"
    resize: str = "squash"
    assumed: bool = False

    def __post_init__(self) -> None:
        if self.color not in COLORS:
            raise unknown_name("color", self.color, COLORS)
        crop_share(self.resize)
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, self.channels):
                raise UsageError(
                    f"{name} has {len(numbers)} numbers, {self.color} has {self.channels} channel(s)",
                    hint="give one number, or one a channel",
                )
            if not np.all(np.isfinite(numbers)) or (name == "std" and 0 in numbers):
                raise UsageError(f"{name} = {numbers} must be finite, and std not 0", hint="std is what pixels 0..255 are divided by")

    @property
    def channels(self) -> int:
        """Channels of a decoded picture: 1 or 3."""
        return 1 if self.color == "gray" else 3

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> "Preprocessing":
        """The inverse of `as_dict`."""
        return Preprocessing(tuple(facts["mean"]), tuple(facts["std"]), facts["color"], facts["resize"], facts["assumed"])

    def normalize(self, x: Array, channel_axis: int | None = -1) -> Array:
        """(x - mean) / std as float32; infinite where x is beyond it.

        Args:
            x: Values in 0..255 (or whatever the model was trained on), any type, any shape.
            channel_axis: Axis of x that counts channels; None where it has none.

        Raises:
            DataError: If mean or std are given a channel and x has no such axis of that length.
        """
        mean, std = (self._along(np.array(numbers, np.float32), x, channel_axis) for numbers in (self.mean, self.std))
        with np.errstate(over="ignore"):
            return np.asarray((x.astype(np.float32) - mean) / std, np.float32)

    def _along(self, numbers: Array, x: Array, axis: int | None) -> Array:
        if len(numbers) == 1:
            return numbers.reshape(())
        if axis is None or x.shape[axis] != len(numbers):
            raise DataError(
                f"mean and std have {len(numbers)} numbers, the input {x.shape[1:]} has no axis of as many channels",
                hint="give one number for --mean and --std",
            )
        shape = [1] * x.ndim
        shape[axis] = len(numbers)
        return numbers.reshape(shape)


def make(
    channels: int | None,
    *,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    color: str | None = None,
    resize: str | None = None,
    known: bool = False,
) -> Preprocessing:
    """A Preprocessing from what a user said; what they left out is filled in, and recorded as `assumed`.

    Args:
        channels: Channels of the model's input; 1 or None (no channel axis) makes gray the default colour.
        mean: One number or one a channel; None where nothing tells.
        std: Likewise.
        color: None for rgb, or gray.
        resize: None for squash.
        known: The model itself tells (a Rescaling or Normalization layer): mean 0, std 1 is no guess.
    """
    default = "rgb" if channels == 3 else "gray"
    assumed = mean is None and std is None and not known
    return Preprocessing(mean or (0.0,), std or (1.0,), color or default, resize or "squash", assumed)


def parse_numbers(text: str, name: str) -> tuple[float, ...]:
    """The words of --mean and --std: one number, or some with commas between.

    Raises:
        UsageError: Names what is no number.
    """
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"--{name} {text}: not a number, or numbers with commas", hint=f"e.g. --{name} 123.7,116.3,103.5") from None


def from_table(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The keyword arguments of `make` in one TOML table `[input]` or `[input.NAME]`.

    Raises:
        UsageError: Unknown key or wrong type.
    """
    check_keys(table, _KEYS, where)
    numbers = {k: _numbers(table[k], f"{where}: {k}") for k in ("mean", "std") if k in table}
    return {**table, **numbers}


def _numbers(value: Any, where: str) -> tuple[float, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(v, NUMBER) and not isinstance(v, bool) for v in listed):
        raise UsageError(f"{where} = {value!r} must be a number or a list of numbers", hint="correct the value")
    return tuple(float(v) for v in listed)


def crop_share(resize: str) -> float | None:
    """The share F of "crop:F", None for "squash" and "letterbox".

    Raises:
        UsageError: If it is none of these.
    """
    if resize in ("squash", "letterbox"):
        return None
    word, _, number = resize.partition(":")
    if word != "crop":
        raise unknown_name("resize", resize, ("squash", f"crop:{DEFAULT_CROP}", "letterbox"))
    try:
        share = float(number or DEFAULT_CROP)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UsageError(f"resize {resize}: the share must be in (0, 1]", hint=f"e.g. crop:{DEFAULT_CROP}")
    return share


def load_picture(path: Path, height: int, width: int, prep: Preprocessing) -> Array:
    """Decode and resize a picture file; returns uint8 (height, width, channels), colours in `prep`'s order.

    Raises:
        DataError: Names the file that cannot be read.
    """
    try:
        with Image.open(path) as opened:
            picture = opened.convert("L" if prep.color == "gray" else "RGB")
    except UNREADABLE as problem:
        raise DataError(f"{path} cannot be read as a picture: {problem}", hint="remove the file or replace it") from None
    pixels = np.asarray(fit(picture, height, width, prep.resize)).reshape(height, width, prep.channels)
    return pixels[..., ::-1] if prep.color == "bgr" else pixels


def has_alpha(path: Path) -> bool:
    """Whether a picture file can be transparent; its header alone is read.

    Raises:
        DataError: Names the file that cannot be read.
    """
    try:
        with Image.open(path) as opened:
            return opened.has_transparency_data
    except UNREADABLE as problem:
        raise DataError(f"{path} cannot be read as a picture: {problem}", hint="remove the file or replace it") from None


def fit(picture: Image.Image, height: int, width: int, resize: str) -> Image.Image:
    """A picture at the input's size, by one of the three rules."""
    share = crop_share(resize)
    if share is not None:
        return _scaled(_centre_square(picture, share), height, width)
    return _letterbox(picture, height, width) if resize == "letterbox" else _scaled(picture, height, width)


def _scaled(picture: Image.Image, height: int, width: int) -> Image.Image:
    return picture if picture.size == (width, height) else picture.resize((width, height), Image.Resampling.BILINEAR)


def _centre_square(picture: Image.Image, share: float) -> Image.Image:
    side = max(1, round(min(picture.size) * share))
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def _letterbox(picture: Image.Image, height: int, width: int) -> Image.Image:
    scale = min(width / picture.width, height / picture.height)
    inner = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    canvas = Image.new(picture.mode, (width, height), (PAD_VALUE,) * len(picture.getbands()) if len(picture.getbands()) > 1 else PAD_VALUE)
    canvas.paste(_scaled(picture, inner[1], inner[0]), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas
