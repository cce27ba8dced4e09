"""Class names and class indices: from a labels file, from folder names, from arrays."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from exporter.array import Array
from exporter.errors import DataError

_INDEXED = re.compile(r"(\d+)[\s:,;]+(\S.*)")


def read_labels(path: Path) -> tuple[str, ...]:
    """A name a line; a leading index, as Teachable Machine writes it (`0 daisy`), is taken off where every line has its own.

    Raises:
        DataError: If the file cannot be read or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(f"labels file {path} cannot be read: {problem}", hint="give a text file with one class name a line") from None
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if not lines:
        raise DataError(f"labels file {path} is empty", hint="write one class name a line, in the order of the model's outputs")
    found = [_INDEXED.fullmatch(line) for line in lines]
    if all(m is not None and int(m[1]) == i for i, m in enumerate(found)):
        return tuple(m[2] for m in found if m)
    return tuple(lines)


def index_of(folders: Sequence[str], known: Sequence[str], path: Path) -> dict[str, int]:
    """Class index of each folder's name: its line in the labels file.

    Raises:
        DataError: Names the folders that the file lacks or has twice.
    """
    unknown = [name for name in folders if name not in known]
    if unknown:
        shown = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        raise DataError(
            f"labels file {path} lacks {len(unknown)} of the class folders: {shown}", hint="add the names, or rename the folders"
        )
    twice = [name for name in folders if list(known).count(name) > 1]
    if twice:
        raise DataError(f"labels file {path} has {twice[0]} more than once", hint="make the names unique")
    return {name: known.index(name) for name in folders}


def class_indices(y: Array, where: str) -> Array:
    """Labels as int64 (n,), from whole numbers (n,) or (n, 1), or one-hot rows (n, classes).

    Raises:
        DataError: If they are neither.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.dtype.kind in "iufb" and np.array_equal(y.sum(1), np.ones(len(y))) and np.array_equal(y.max(1), np.ones(len(y))):
        y = y.argmax(1)
    if y.ndim != 1 or y.dtype.kind not in "iufb" or not np.array_equal(y, y.astype(np.int64)) or np.any(y < 0):
        raise DataError(
            f"{where}: labels of shape {y.shape} and type {y.dtype} are no class indices",
            hint="give whole numbers from 0 up, shape (n,), or one-hot rows (n, classes)",
        )
    return y.astype(np.int64)
