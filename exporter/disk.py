"""Folders that are complete or absent, whatever happens meanwhile: kill -9, a full disk, two writers at once.

A folder is drafted under a hidden name beside its place, its files are synced, then it is renamed. The writer holds a lock (flock) on its
draft, which the kernel drops when the process dies: a draft that nobody holds is rubbish, and is swept. So is scratch space.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from exporter.errors import DiskError
from exporter.interrupt import uninterrupted

REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission to write",
    errno.EPERM: "no permission to write",
    errno.EFBIG: "the file is too large for this file system",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.ENOTDIR: "a file stands where a folder is needed",
}
"""errno to the words for it: failures of the place, not of the program."""

CUT_SHORT = re.compile(r"\d+ requested and \d+ written")
"""How numpy's tofile says that a disk took but part of an array; it gives no errno."""

DRAFT = ".mexport-draft-"
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD


def as_disk_error(problem: OSError, where: Path | str | None = None) -> DiskError | None:
    """A DiskError for a failure of the disk, None for any other."""
    number = errno.ENOSPC if CUT_SHORT.search(str(problem)) else problem.errno
    if number not in REASONS:
        return None
    place = where or problem.filename
    return DiskError(
        f"{REASONS[number]}{f': {place}' if place else ''}",
        hint="free some space, or give another folder with -o (bundles) or $MEXPORT_CACHE (cache)",
    )


@contextlib.contextmanager
def disk_errors(where: Path | str | None = None) -> Iterator[None]:
    """Failures of the disk inside the block become DiskError naming `where`."""
    try:
        yield
    except OSError as problem:
        ours = as_disk_error(problem, where)
        if ours is None:
            raise
        raise ours from problem


@contextlib.contextmanager
def draft(parent: Path) -> Iterator[Path]:
    """A new locked folder in `parent` (made if missing); removed at the end, unless it was published. A parent left empty goes too."""
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        sweep(parent)
    with contextlib.ExitStack() as ending, disk_errors(parent):
        with uninterrupted():
            folder, lock = _locked_folder(parent)
            ending.callback(_remove, folder, lock, made)
        yield folder


class Scratch(tempfile.TemporaryDirectory[str]):  # noqa: TID251 - this is what stands for it
    """A private folder for a while, removed with the block; no interrupt leaves it behind or half removed.

    Of a process that was killed it stays, until the next scratch space is made.
    """

    @uninterrupted()
    def __init__(self) -> None:
        sweep(Path(tempfile.gettempdir()))
        held = None
        while held is None:  # a sweeper may be quicker than our lock
            super().__init__(prefix=DRAFT)
            held = _lock(Path(self.name), fcntl.LOCK_EX)
        self._held: int | None = held

    @uninterrupted()
    def cleanup(self) -> None:
        """Remove it; safe to call twice."""
        super().cleanup()
        if self._held is not None:
            os.close(self._held)
            self._held = None


@uninterrupted()
def _remove(folder: Path, lock: int, made: list[Path]) -> None:
    """Remove a draft, drop its lock, and remove those of its parents that were made for it."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
    with contextlib.suppress(OSError):  # not empty: something was published, here or by another
        for empty in made:
            empty.rmdir()


def _locked_folder(parent: Path) -> tuple[Path, int]:
    while True:
        folder = parent / f"{DRAFT}{uuid.uuid4().hex}"
        folder.mkdir(parents=True)  # another draft may just have taken its empty parent away
        lock = _lock(folder, fcntl.LOCK_EX)
        if lock is not None:
            return folder, lock  # else a sweeper was quicker than our lock


def _lock(folder: Path, how: int) -> int | None:
    """Open and lock a folder; None if it is gone, or locked by another where `how` has LOCK_NB."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, how)
        if os.path.samestat(os.stat(folder), os.fstat(handle)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


def hold(folder: Path) -> int | None:
    """Lock a published folder for reading; returns the handle to close at the end, None if the folder is gone."""
    return _lock(folder, fcntl.LOCK_SH)


def discard(folder: Path) -> bool:
    """Remove a published folder unless someone holds it; it vanishes at once (a rename first)."""
    handle = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if handle is None:
        return False
    try:
        gone = folder.with_name(f"{DRAFT}{uuid.uuid4().hex}")
        folder.rename(gone)
        shutil.rmtree(gone)
    finally:
        os.close(handle)
    return True


def sweep(parent: Path) -> int:
    """Remove the drafts that dead processes left in a folder; returns how many."""
    stale = [f for f in parent.glob(f"{DRAFT}*") if f.is_dir()]
    count = 0
    for folder in stale:
        try:
            handle = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except PermissionError:  # another user's
            continue
        if handle is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)
            count += 1
    return count


def publish(folder: Path, place: Path) -> bool:
    """Sync a draft and rename it to its place; False, and nothing done, if a folder is already there."""
    sync_tree(folder)
    try:
        folder.rename(place)
    except OSError as problem:
        if problem.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    _sync(place.parent)
    return True


def replace(folder: Path, place: Path) -> None:
    """Sync a draft and put it where another folder is, in one step; the draft's name holds the old one afterwards."""
    sync_tree(folder)
    if not _exchange(folder, place):
        old = place.with_name(f"{DRAFT}{uuid.uuid4().hex}")
        place.rename(old)
        folder.rename(place)
        shutil.rmtree(old)
    _sync(place.parent)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two names atomically (renameat2); False where the kernel or file system cannot."""
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    return call is not None and call(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE) == 0


def sync_tree(folder: Path) -> None:
    """Push every file and folder below to the disk; links are in their folders, and may lead anywhere."""
    for root, _, names in os.walk(folder):
        for name in names:
            if not Path(root, name).is_symlink():
                _sync(Path(root, name))
        _sync(Path(root))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
