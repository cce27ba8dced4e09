"""ARM programs of a few words, whose instructions one can count by hand, and what is needed to run them."""

import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

from exporter.resources import data_folder

PLUGIN = data_folder("native") / "qemu-plugin"
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

BASE = 0x400000
SVC = 0xD4000001
NOT_A_CALL, EXIT = 0x6D78, 93


def mov(register: int, value: int) -> int:
    """movz x, #value; or movn for -1."""
    return (0x92800000 if value == -1 else 0xD2800000 | value << 5) | register


def mark(what: int, layer: int) -> list[int]:
    """Four instructions: three moves and the call."""
    return [mov(8, NOT_A_CALL), mov(0, what), mov(1, layer), SVC]


def loop(times: int, body: Sequence[int]) -> list[int]:
    """times * (body + 2) + 1 instructions: mov x2; body; subs x2, x2, #1; b.ne body."""
    back = -(len(body) + 1) & 0x7FFFF
    return [mov(2, times), *body, 0xF1000442, 0x54000001 | back << 5]


def program(words: Sequence[int], path: Path, *, space: int = 0) -> Path:
    """Write a static ELF program that ends well after these words; `space` bytes from its start are memory."""
    code = b"".join(struct.pack("<I", w) for w in [*words, mov(8, EXIT), mov(0, 0), SVC])
    start = 64 + 56
    head = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, BASE + start, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 0, BASE, BASE, start + len(code), max(start + len(code), space), 0x1000)
    path.write_bytes(head + segment + code)
    path.chmod(0o755)
    return path


def program32(words: Sequence[int], path: Path) -> Path:
    """The same for 32-bit ARM."""
    code = b"".join(struct.pack("<I", w) for w in [*words, 0xE3A07001, 0xE3A00000, 0xEF000000])  # mov r7, #1 (exit); mov r0, #0; svc #0
    start, base = 52 + 32, 0x10000
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    head = struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, base + start, 52, 0, 0x05000000, 52, 32, 1, 40, 0, 0)
    size = start + len(code)
    path.write_bytes(ident + head + struct.pack("<8I", 1, 0, base, base, size, size, 7, 0x1000) + code)
    path.chmod(0o755)
    return path


def mark32(what: int, layer: int) -> list[int]:
    """Four instructions: movw r7, #0x6d78; mov r0, #what; mov r1, #layer; svc #0."""
    return [0xE3067D78, 0xE3A00000 | what, 0xE3A01000 | layer, 0xEF000000]
