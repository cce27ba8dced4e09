"""TOML tables as frozen dataclasses: unknown keys and wrong types are errors that name the file, the key and the nearest known one."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.errors import UsageError

NUMBER = (int, float)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as plain data.

    Raises:
        UsageError: If it cannot be read, or where it is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path} is not valid TOML: {problem}", hint="see `mexport targets show ncnn-arm64` for one that is") from None
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}", hint="check the path") from None


def check_keys(table: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    """Every key must be known and hold a value of its type (or tuple of types).

    Raises:
        UsageError: Names the key; suggests the nearest known one.
    """
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            raise UsageError(f"{where}: unknown key: {key}", hint=f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}")
        if not isinstance(value, known[key]) or (isinstance(value, bool) and known[key] is not bool):
            raise UsageError(f"{where}: {key} = {value!r} must be {_words(known[key])}", hint="correct the value")


def _words(kind: Any) -> str:
    names = {int: "a whole number", str: "a string", dict: "a table", list: "a list", NUMBER: "a number"}
    return names.get(kind, str(kind))
