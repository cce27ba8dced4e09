"""The cache: loaded graphs, reference outputs, calibration statistics, trained models, built tools, instruction counts.

Entries are complete or absent. An entry is a folder, `ROOT/KIND/KEY/`. Whoever reads one holds a shared lock on it until the Store is
closed, so that `gc` in any process leaves it alone.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from exporter import disk
from exporter.errors import DiskError, unknown_name
from exporter.fingerprint import code_version, fingerprint

KINDS = ("graph", "reference", "calibration", "model", "tool", "counts")
LIMIT_BYTES = 10 * 10**9


def default_root() -> Path:
    """$MEXPORT_CACHE, else $XDG_CACHE_HOME/mexport, else ~/.cache/mexport."""
    if cache := os.environ.get("MEXPORT_CACHE"):
        return Path(cache)
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base or Path.home() / ".cache") / "mexport"


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One cached thing: kind, key, size in bytes, time of last use in seconds since the epoch."""

    kind: str
    key: str
    bytes: int
    last_used: float


@dataclasses.dataclass(frozen=True, slots=True)
class Freed:
    """What a `gc` did: entries removed, bytes freed, entries kept because someone reads them, dead drafts swept."""

    entries: int
    bytes: int
    in_use: int
    drafts: int


class Store:
    """One cache folder.

    Args:
        root: The folder; `default_root()` if None. Made on the first write.
        limit_bytes: `put` removes what was used longest ago beyond it.
    """

    def __init__(self, root: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self.root = root or default_root()
        self.limit_bytes = limit_bytes
        self._held: dict[Path, int] = {}

    def key(self, kind: str, **parts: Any) -> str:
        """The key of a thing: sha256 of its kind, everything it is made from, and our own code.

        Args:
            kind: One of KINDS.
            parts: Plain data, paths as text, dataclasses: source sha256, settings, tool versions.
        """
        _check(kind)
        return fingerprint(kind=kind, code=code_version(), parts=parts)

    def get(self, kind: str, key: str) -> Path | None:
        """The entry's folder, None if absent. It stays until the Store is closed."""
        _check(kind)
        folder = self.root / kind / key
        if folder in self._held:
            return folder
        try:
            handle = disk.hold(folder)
        except PermissionError as problem:
            raise DiskError(f"the cache cannot be read: {folder}", hint="give another folder in $MEXPORT_CACHE") from problem
        if handle is None:
            return None
        self._held[folder] = handle
        with contextlib.suppress(OSError):  # a cache on a read-only disk serves without noting the use
            os.utime(handle)
        return folder

    @contextlib.contextmanager
    def put(self, kind: str, key: str) -> Iterator[Path]:
        """A folder to write the entry into; it becomes the entry when the block ends well, else it vanishes.

        Raises:
            DiskError: If the disk is full or cannot be written.
        """
        _check(kind)
        place = self.root / kind / key
        with disk.draft(place.parent) as folder:
            yield folder
            disk.publish(folder, place)
        self.gc(self.limit_bytes)

    def place(self, kind: str, key: str) -> Path:
        """The entry's folder, made empty where it is absent: for a run that puts its checkpoints there, each of them whole.

        It stays until the Store is closed.

        Raises:
            DiskError: If the disk is full or cannot be written.
        """
        place = self.root / kind / key
        while (folder := self.get(kind, key)) is None:
            with disk.draft(place.parent) as empty:
                disk.publish(empty, place)
        return folder

    def ls(self) -> list[Entry]:
        """All entries, used longest ago first."""
        folders = [f for kind in KINDS for f in (self.root / kind).glob("*") if not f.name.startswith(disk.DRAFT)]
        return sorted(filter(None, map(_entry, folders)), key=lambda e: (e.last_used, e.key))

    def gc(self, limit_bytes: int = LIMIT_BYTES) -> Freed:
        """Remove what was used longest ago until the rest fits; sweep what dead processes left. Entries in use stay."""
        drafts = sum(disk.sweep(self.root / kind) for kind in KINDS)
        entries = self.ls()
        total = sum(e.bytes for e in entries)
        removed = freed = in_use = 0
        with disk.disk_errors(self.root):
            for entry in entries:
                if total - freed <= limit_bytes:
                    break
                if disk.discard(self.root / entry.kind / entry.key):
                    removed, freed = removed + 1, freed + entry.bytes
                else:
                    in_use += 1
        return Freed(removed, freed, in_use, drafts)

    def close(self) -> None:
        """Let go of the entries that were read."""
        for handle in self._held.values():
            os.close(handle)
        self._held.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()


def _check(kind: str) -> None:
    if kind not in KINDS:
        raise unknown_name("kind of cache entry", kind, KINDS)


def _entry(folder: Path) -> Entry | None:
    try:
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        return Entry(folder.parent.name, folder.name, size, folder.stat().st_mtime)
    except FileNotFoundError:  # another process removed it meanwhile
        return None
