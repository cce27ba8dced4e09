"""What this computer has and lacks for mexport, each lack with its remedy."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exporter.devices.adb import INSTALL as ADB_INSTALL

PYTHON = ((3, 11), (3, 14))
"""First Python that works, and the first that does not."""

PACKAGES = {
    "tensorflow": "Keras and SavedModel sources",
    "tf_keras": "Keras 2 .h5 sources",
    "keras": "Keras 3 sources",
    "tf2onnx": "SavedModel sources",
    "onnx": "ONNX sources",
    "onnx-ir": "the middle form",
    "onnxruntime": "checks, and running .onnx files",
    "ai-edge-litert": "running .tflite files",
    "ncnn": "running ncnn files",
    "pillow": "pictures",
    "typer": "the command line",
}
"""Package to what needs it."""

TOOLS = {
    "adb": ("measuring on a phone", ADB_INSTALL),
}
"""Outside program to what needs it and how to get it; only commands that name a device need one."""

LOW_DISK_BYTES = 2 * 1024**3
"""Less free space than this is worth a word: a big net's bundle and its cached graph take over 1 GB."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        name: What.
        ok: Whether it will do.
        required: Whether a build fails without it.
        found: What is there, e.g. a version.
        needed_for: What needs it.
        remedy: The one next step where it will not do.
    """

    name: str
    ok: bool
    required: bool
    found: str
    needed_for: str
    remedy: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def examine(cache: Path, *, output: Path = Path()) -> list[Finding]:
    """Look at Python, packages, outside programs, what runs ARM files, and disks; of all that, only Docker's engine is spoken to."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python, _packages, _tools, arm, lambda: _folder("cache", cache), lambda: _folder("current folder", output),
    )  # fmt: skip
    return [finding for look in looks for finding in look()]


def _python() -> Iterator[Finding]:
    low, high = PYTHON
    ok = low <= sys.version_info[:2] < high
    said = f"{platform.python_version()} on {platform.machine()}"
    yield Finding("python", ok, True, said, "everything", None if ok else "install Python 3.11, 3.12 or 3.13")


def _packages() -> Iterator[Finding]:
    for name, purpose in PACKAGES.items():
        try:
            found, ok = importlib.metadata.version(name), True
        except importlib.metadata.PackageNotFoundError:
            found, ok = "missing", False
        yield Finding(name, ok, True, found, purpose, None if ok else f"python -m pip install {name}")


def _tools() -> Iterator[Finding]:
    for name, (purpose, remedy) in TOOLS.items():
        where = shutil.which(name)
        yield Finding(name, where is not None, False, where or "missing", purpose, None if where else remedy)


def arm() -> Iterator[Finding]:
    """What runs ARM files and counts their instructions."""
    from exporter.cost import findings as counting
    from exporter.devices import findings as running

    for look in (*running.looks(), *counting.looks()):
        yield Finding(look.name, look.ok, False, look.found, look.needed_for, look.remedy)


def _folder(name: str, folder: Path) -> Iterator[Finding]:
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    writable = os.access(there, os.W_OK)
    ok = writable and free > LOW_DISK_BYTES
    remedy = None if ok else ("free some space: `mexport cache gc`" if writable else f"make {there} writable, or set $MEXPORT_CACHE")
    said = f"{folder}, {free / 1024**3:.0f} GiB free" + ("" if writable else ", not writable")
    yield Finding(name, ok, writable is False, said, "bundles and cached graphs", remedy)
