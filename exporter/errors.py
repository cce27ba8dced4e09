"""Every error a user can meet, each class with its own exit code (docs: README, "Exit codes").

An error says the value we got, the value we need and one next step: the message holds the first two, `hint` the third.
"""

import difflib
from collections.abc import Iterable
from typing import ClassVar


class MexportError(Exception):
    """Base of all our errors; `code` is the process's exit code, `hint` the one next step."""

    code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MexportError):
    """The call itself is off: an unknown name, flags that exclude each other."""

    code = 2


class SourceError(MexportError):
    """The model cannot be read, or is refused by name."""

    code = 3


class UnsupportedOpError(MexportError):
    """The model is readable but holds layers that the asked format cannot express."""

    code = 4


class ParityError(MexportError):
    """The written file, or the compressed model, does not give the outputs it must give."""

    code = 5


class LimitError(MexportError):
    """A limit that the target sets is not held, or cannot be checked."""

    code = 6


class ToolError(MexportError):
    """An outside program or package is missing."""

    code = 7


class EngineError(MexportError):
    """An inference engine crashed, refused its file or took longer than its time limit."""

    code = 8


class IntegrityError(MexportError):
    """A file is not the one its manifest names (sha256)."""

    code = 9


class DiskError(MexportError):
    """The disk is full or the folder cannot be written."""

    code = 10


class DeviceError(MexportError):
    """A device or container is not there or does not answer."""

    code = 11


class DataError(MexportError):
    """Pictures, labels or arrays given as data are missing or unfit."""

    code = 12


BY_CODE: dict[int, type[MexportError]] = {
    c.code: c
    for c in (
        UsageError, SourceError, UnsupportedOpError, ParityError, LimitError, ToolError,
        EngineError, IntegrityError, DiskError, DeviceError, DataError,
    )
}  # fmt: skip


MAX_NAMES = 40
"""So many known names are written out in one error."""


def unknown_name(kind: str, got: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not in a table: suggests the nearest, never substitutes it."""
    names = sorted(known)
    near = difflib.get_close_matches(got, names, n=1, cutoff=0.55)
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(names[:MAX_NAMES])}{more}"
    return UsageError(f"unknown {kind}: {got}", hint=hint)
