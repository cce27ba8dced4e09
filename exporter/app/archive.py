"""Write an APK: a zip with the same bytes every time, in which what is stored uncompressed is aligned, as phones map it into memory."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from exporter.app.engines import PAGE

EPOCH = (1981, 1, 1, 1, 1, 2)
ALIGNMENT = 0xD935
"""Zip's extra field that Android's own tools align with; apksigner keeps it."""

WORD = 4


def write_archive(out: Path, entries: Mapping[str, bytes], *, stored: frozenset[str] = frozenset(), level: int = 6) -> None:
    """Write all entries in the order of their names; behind those of an archive that is there.

    Args:
        out: The file.
        entries: Name to content.
        stored: Names of what is not compressed.
        level: Of the compression; 1 is the fastest.
    """
    with zipfile.ZipFile(out, "a", compresslevel=level) as archive:
        for name in sorted(entries):
            _add(archive, name, entries[name], stored=name in stored)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, *, stored: bool) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    if stored:
        multiple = alignment(name)
        assert archive.fp is not None
        start = archive.fp.tell() + 30 + len(name.encode()) + 6
        padding = -start % multiple
        info.extra = struct.pack("<HHH", ALIGNMENT, 2 + padding, multiple) + bytes(padding)
    archive.writestr(info, data, compresslevel=archive.compresslevel)


def alignment(name: str) -> int:
    """What an uncompressed entry must start at a multiple of."""
    return PAGE if name.endswith(".so") else WORD


def misaligned(apk: Path) -> list[str]:
    """Uncompressed entries of an APK that do not start where they must."""
    found = []
    with zipfile.ZipFile(apk) as archive, apk.open("rb") as stream:
        for info in archive.infolist():
            stream.seek(info.header_offset + 26)
            name_bytes, extra_bytes = struct.unpack("<HH", stream.read(4))
            start = info.header_offset + 30 + name_bytes + extra_bytes
            if info.compress_type == zipfile.ZIP_STORED and start % alignment(info.filename):
                found.append(info.filename)
    return found
