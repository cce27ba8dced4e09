"""Arrays on disk, read row by row: .npy, members of .npz, idx files, gzip or not; and arrays in memory."""

import gzip
import hashlib
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from exporter.array import Array
from exporter.errors import DataError

IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""Third byte of an idx file to numpy's name of its element type."""

BROKEN = (
    OSError, EOFError, ValueError, TypeError, LookupError, RuntimeError, SyntaxError, MemoryError, zipfile.BadZipFile, zlib.error,
    struct.error, tokenize.TokenError,
)  # fmt: skip
"""What reading a damaged file raises."""


class Rows(Protocol):
    """An array whose axis 0 counts samples."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole array."""

    def read(self, indices: Sequence[int]) -> Iterator[Array]:
        """The rows of ascending indices, one at a time."""

    def whole(self) -> Array:
        """All of it."""


@dataclass(frozen=True)
class MemoryRows:
    """An array that is in memory anyway."""

    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole array."""
        return self.array.shape

    def read(self, indices: Sequence[int]) -> Iterator[Array]:
        """See `Rows`."""
        for i in indices:
            yield self.array[i]

    def whole(self) -> Array:
        """See `Rows`."""
        return self.array


@dataclass(frozen=True)
class FileRows:
    """An array in a file; row i lies at `start + i * size of a row`.

    Attributes:
        open: Opens the (unpacked) stream.
        what: File and member, for errors.
        start: Offset of the first row, in bytes.
        shape: Of the whole array.
        dtype: Of its elements.
    """

    open: Callable[[], IO[bytes]]
    what: str
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    def read(self, indices: Sequence[int]) -> Iterator[Array]:
        """See `Rows`."""
        size = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        try:
            with self.open() as stream:
                for i in indices:
                    stream.seek(self.start + i * size)
                    yield self._row(stream.read(size), size)
        except BROKEN as problem:
            raise _broken(self.what, problem) from None

    def _row(self, raw: bytes, size: int) -> Array:
        if len(raw) != size:
            raise EOFError("it ends too early")
        return np.frombuffer(raw, self.dtype).reshape(self.shape[1:])

    def whole(self) -> Array:
        """See `Rows`."""
        return np.array(list(self.read(range(self.shape[0]))), self.dtype).reshape(self.shape)


def _broken(what: str, problem: BaseException) -> DataError:
    return DataError(f"{what} cannot be read: {problem}", hint="the file is damaged or of another kind; make or download it again")


def open_npy(path: Path) -> Rows:
    """A .npy file.

    Raises:
        DataError: If it is damaged or holds Python objects.
    """
    return _numpy_rows(lambda: path.open("rb"), str(path))


def open_npz(path: Path) -> dict[str, Rows]:
    """The arrays of a .npz file by key.

    Raises:
        DataError: As `open_npy`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
    except BROKEN as problem:
        raise _broken(str(path), problem) from None
    return {name.removesuffix(".npy"): _numpy_rows(_member(path, name), f"{path}[{name.removesuffix('.npy')}]") for name in members}


def _member(path: Path, name: str) -> Callable[[], IO[bytes]]:
    return lambda: zipfile.ZipFile(path).open(name)


def _numpy_rows(opener: Callable[[], IO[bytes]], what: str) -> Rows:
    try:
        with opener() as stream:
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_column, dtype = header(stream)
            start = stream.tell()
            if dtype.hasobject:
                raise ValueError("it holds Python objects, which may run code")
            if not shape:
                raise ValueError("it holds one number; axis 0 must count samples")
            if by_column:
                stream.seek(0)
                return MemoryRows(np.lib.format.read_array(stream, allow_pickle=False))
    except BROKEN as problem:
        raise _broken(what, problem) from None
    return FileRows(opener, what, start, shape, dtype)


def is_idx(path: Path) -> bool:
    """Whether a file begins as idx files do, gzip or not."""
    try:
        with _maybe_gzip(path) as stream:
            magic = stream.read(4)
    except BROKEN:
        return False
    return len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in IDX_TYPES and 0 < magic[3] <= 4


def open_idx(path: Path) -> FileRows:
    """An idx file (MNIST's form): big-endian, magic 0 0 TYPE RANK, then the sizes.

    Raises:
        DataError: If it is damaged.
    """
    try:
        with _maybe_gzip(path) as stream:
            _, kind, rank = struct.unpack(">HBB", stream.read(4))
            shape = struct.unpack(f">{rank}I", stream.read(4 * rank))
    except BROKEN as problem:
        raise _broken(str(path), problem) from None
    return FileRows(lambda: _maybe_gzip(path), str(path), 4 + 4 * rank, shape, np.dtype(IDX_TYPES[kind]))


def _maybe_gzip(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def hash_file(path: Path, digest: "hashlib._Hash") -> None:
    """Feed a file's bytes to a hash.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}", hint="check its permissions") from None
