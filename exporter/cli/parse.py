"""Words of the command line to values, with an error that names the flag."""

from collections.abc import Sequence
from pathlib import Path

from exporter.building.options import PixelOptions
from exporter.errors import UsageError


def names(text: str | None) -> tuple[str, ...]:
    """`A,B` to names."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def counts(text: str | None, flag: str) -> tuple[int, ...]:
    """`16,24,32` to numbers of 1 and more.

    Raises:
        UsageError: If it is anything else; names the flag.
    """
    words = names(text)
    if not all(w.isdecimal() and int(w) for w in words):
        raise UsageError(f"{flag} {text}: whole numbers of 1 or more are needed", hint=f"{flag} 16,24,32")
    return tuple(int(w) for w in words)


def shapes(texts: Sequence[str] | None) -> dict[str | None, tuple[int, ...]]:
    """`[NAME=]1,224,224,3`, repeated, to shapes by input name; None stands for the only input."""
    found: dict[str | None, tuple[int, ...]] = {}
    for text in texts or ():
        name, _, dims = text.rpartition("=")
        try:
            shape = tuple(int(d) for d in dims.replace("x", ",").split(","))
        except ValueError:
            shape = ()
        if not shape or min(shape) < 1:
            raise UsageError(f"--input-shape {text}: not a shape", hint="--input-shape 1,224,224,3 or --input-shape NAME=1,224,224,3")
        if (name or None) in found:
            raise UsageError(f"--input-shape {text}: given twice for {name or 'the only input'}", hint="put NAME= before each shape")
        found[name or None] = shape
    return found


def pixels(mean: str | None, std: str | None, color: str | None, resize: str | None) -> PixelOptions:
    """The four flags about pictures."""
    from exporter.preprocessing import parse_numbers

    numbers = [parse_numbers(text, name) if text is not None else None for name, text in (("mean", mean), ("std", std))]
    return PixelOptions(numbers[0], numbers[1], color, resize)


def share(text: str | None, flag: str) -> float | None:
    """`0.5x` or `0.5` to a number.

    Raises:
        UsageError: If it is none above 0 and up to 1.
    """
    if text is None:
        return None
    try:
        found = float(text.removesuffix("x"))
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        raise UsageError(f"{flag} {text}: a share above 0 and up to 1 is needed", hint=f"{flag} 0.5x halves it")
    return found


def channel_step(text: str | None) -> int:
    """A number, or the step that a sweep measured; 0 where nothing is said.

    Raises:
        UsageError: If it is neither.
    """
    from exporter.sweeping.record import read_step

    if text is None:
        return 0
    if text.isdigit() and int(text) > 0:
        return int(text)
    if not Path(text).exists():
        raise UsageError(f"--channel-step {text}: neither a number above 0 nor a sweep", hint="--channel-step 8, or out/sweep/sweep.json")
    return read_step(Path(text))


def existing(path: Path, what: str) -> Path:
    """The path, when something is there.

    Raises:
        UsageError: When nothing is.
    """
    if not path.exists():
        raise UsageError(f"no such {what}: {path}", hint="look at the path; names are relative to the current folder")
    return path
