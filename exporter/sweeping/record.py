"""What a sweep leaves behind: sweep.json, sweep.csv, sweep.svg; and the step read back."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter import disk
from exporter.errors import UsageError
from exporter.sweeping.picture import sweep_svg
from exporter.sweeping.sweep import Sweep

JSON, CSV, SVG = "sweep.json", "sweep.csv", "sweep.svg"

COLUMNS = ("layer", "op", "shape_in", "channels", "width", "relative", "low", "high", "ms", "cpu_ms", "rounds", "engine")


def check_folder(folder: Path, identity: Mapping[str, Any], *, force: bool) -> None:
    """Before any work: may a sweep be written there? An earlier one of the same model, target and layers is replaced.

    Args:
        folder: Where.
        identity: What tells one sweep from another, as it stands in `sweep.json`.
        force: Replace any sweep.

    Raises:
        UsageError: If not.
    """
    path = folder / JSON
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, a folder is needed", hint="give another folder with -o")
    if force or not path.exists():
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        same = all(there.get(key) == value for key, value in identity.items())
    except (ValueError, AttributeError):
        same = False
    if not same:
        raise UsageError(f"{path} holds another sweep", hint="give another folder with -o, or --force to replace it")


def write(folder: Path, facts: Mapping[str, Any], sweeps: Sequence[Sweep]) -> dict[str, str]:
    """Write the three files, each whole; returns their paths by kind.

    Raises:
        DiskError: If the folder cannot be written.
    """
    with disk.draft(folder) as draft:
        (draft / JSON).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        (draft / SVG).write_text(sweep_svg(sweeps), encoding="utf-8")
        with (draft / CSV).open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            for s in sweeps:
                shape = "x".join(map(str, s.shape_in))
                for p in s.points:
                    numbers = (p.relative, p.low, p.high, p.ms, p.cpu_ms)
                    rows.writerow((s.layer, s.op, shape, s.channels, p.width, *(f"{n:.5g}" for n in numbers), p.rounds, s.engine))
        disk.sync_tree(draft)
        for name in (CSV, SVG, JSON):
            (draft / name).replace(folder / name)
    return {kind: str(folder / name) for kind, name in (("json", JSON), ("csv", CSV), ("svg", SVG))}


def read_step(path: Path) -> int:
    """The measured step of a `sweep.json`, or of the folder that holds it: what pruning takes as its channel step.

    Raises:
        UsageError: If there is no such file, or it holds no sweep.
    """
    path = path / JSON if path.is_dir() else path
    try:
        step = json.loads(path.read_text(encoding="utf-8"))["step"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UsageError(f"{path} holds no sweep: {problem}", hint="`mexport sweep MODEL --all -o FOLDER` writes one") from problem
    if not isinstance(step, int) or step < 1:
        raise UsageError(f"{path}: step {step!r}, a whole number of 1 or more is needed", hint="write it again with `mexport sweep`")
    return step
