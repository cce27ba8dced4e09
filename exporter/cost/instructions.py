"""Instruction counts as the TCG plugin tells them (native/qemu-plugin/mxcount.c)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from exporter.errors import EngineError

WHOLE = -1
"""The mark of a whole inference; layers are marked from 0."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Instructions between two marks, and what they moved; exact, of one thread.

    Attributes:
        total: All instructions. On 32-bit ARM only this one is known, and the others are 0.
        load_store: Loads, stores and prefetches; scalar and vector.
        branch: Jumps, calls and returns.
        simd_fp: Arithmetic and moves on vector and floating-point registers.
        alu: Arithmetic on general registers.
        other: System instructions, barriers, hints. These five sum to `total`.
        loads: Of `load_store`, those that read memory.
        stores: Those that write it; an atomic does both.
        vector_loads: Of `loads`, those into vector or floating-point registers.
        vector_stores: Of `stores`, those from such registers.
        multiplies: Of `simd_fp`, multiplies, multiply-adds and dot products.
        bytes_loaded: By the width of each load.
        bytes_stored: By the width of each store.
        l1_misses: Lines of 64 bytes that a first-level cache of the core's size did not hold; 0 unless caches were asked for.
        l2_misses: Of those, lines that the second level did not hold either.
    """

    total: int
    load_store: int = 0
    branch: int = 0
    simd_fp: int = 0
    alu: int = 0
    other: int = 0
    loads: int = 0
    stores: int = 0
    vector_loads: int = 0
    vector_stores: int = 0
    multiplies: int = 0
    bytes_loaded: int = 0
    bytes_stored: int = 0
    l1_misses: int = 0
    l2_misses: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(*(a - b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, ...]:
        """In the order of the fields."""
        return tuple(getattr(self, f.name) for f in fields(self))

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self)


CLASSES = ("load_store", "branch", "simd_fp", "alu", "other")
"""The classes that sum to the total."""

NONE = Counts(0)


@dataclass(frozen=True, slots=True)
class Region:
    """What ran between two marks.

    Attributes:
        layer: The number given with the mark; WHOLE for an inference.
        depth: How many regions were open around it.
        threads: Threads of the program so far; counts are exact for 1.
        counts: The instructions.
    """

    layer: int
    depth: int
    threads: int
    counts: Counts


def read_regions(path: Path) -> list[Region]:
    """The regions in the order they ended.

    Raises:
        EngineError: If the file is not whole: the program was cut off, or its marks do not pair.
    """
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError) as problem:
        raise EngineError(f"the counts cannot be read: {problem}", hint="run again with -v") from None
    if not lines or lines[-1]["what"] != "process":
        raise EngineError("the counts are cut short: the emulated program did not end well", hint="run again with -v")
    if lines[-1]["lost"]:
        raise EngineError(f"{lines[-1]['lost']} marks of the emulated program do not pair", hint="this is a defect of mexport; report it")
    return [_region(line) for line in lines if line["what"] == "region"]


def _region(line: dict[str, Any]) -> Region:
    known = {f.name for f in fields(Counts)}
    return Region(line["layer"], line["depth"], line["threads"], Counts(**{k: v for k, v in line.items() if k in known}))


def median(regions: Sequence[Counts]) -> Counts:
    """The one with the median total (the lower of the two in the middle)."""
    return sorted(regions, key=lambda c: c.total)[(len(regions) - 1) // 2]


def spread(regions: Iterable[Counts]) -> float:
    """(most - least) / least, of the totals."""
    totals = [c.total for c in regions]
    return (max(totals) - min(totals)) / max(min(totals), 1)
