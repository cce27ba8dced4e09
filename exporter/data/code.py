"""Data from a user's own function, `module:function`: run only where the user says so."""

import hashlib
import importlib
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.data.arrays import Arrays, Needs, assign
from exporter.data.dataset import Dataset
from exporter.data.labels import class_indices
from exporter.data.rows import MemoryRows
from exporter.errors import DataError


def open_function(name: str, needs: Needs, trust: bool) -> Dataset:
    """Call a function that yields batches: x, (x, y), or a dict by input name with perhaps "y". They are kept in memory.

    Raises:
        DataError: Without `trust`; if the function is missing or fails, or its batches do not fit.
    """
    if not trust:
        raise DataError(f"{name} is code, and would be run", hint="give --trust if you know what it does")
    arrays = _collect(name, _call(name))
    y = arrays.pop("y") if "y" in arrays and all(spec.name != "y" for spec in needs.specs) else None

    def content(digest: "hashlib._Hash") -> None:
        for key, array in arrays.items():
            digest.update(f"{key}{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())

    rows = assign({key: MemoryRows(array) for key, array in arrays.items()}, needs.specs, name)
    classes = None if y is None else class_indices(y, name)
    return Dataset(Arrays(name, rows, needs.specs, needs.prep, content), classes, needs.class_names)


def _call(name: str) -> Iterable[Any]:
    module, _, function = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return list(getattr(importlib.import_module(module), function)())
    except Exception as problem:  # the user's own code may raise anything
        raise DataError(f"{name} failed: {type(problem).__name__}: {problem}", hint="run the function on its own first") from problem


def _collect(name: str, batches: Iterable[Any]) -> dict[str, Array]:
    parts: dict[str, list[Array]] = {}
    for batch in batches:
        for key, value in _named(batch).items():
            parts.setdefault(key, []).append(np.asarray(value))
    if not parts:
        raise DataError(f"{name} yielded no batch", hint="it must yield x, (x, y), or a dict by input name")
    try:
        return {key: np.concatenate(values) for key, values in parts.items()}
    except ValueError as problem:
        raise DataError(f"{name}: its batches do not fit together: {problem}", hint="axis 0 counts samples; the rest must agree") from None


def _named(batch: Any) -> Mapping[str, Any]:
    if isinstance(batch, Mapping):
        return batch
    return {"x": batch[0], "y": batch[1]} if isinstance(batch, tuple) and len(batch) == 2 else {"x": batch}
