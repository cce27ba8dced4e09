"""One JSON file a benchmark: rows by key, written after each, so that a stopped run goes on where it was."""

import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
ENGINES = ("tensorflow", "keras", "tf_keras", "onnx", "onnxruntime", "ai-edge-litert", "ncnn", "tf2onnx", "onnxslim", "pnnx",
           "ai-edge-quantizer", "numpy")  # fmt: skip

Row = dict[str, Any]
Rows = dict[str, Row]


def machine() -> Row:
    """What the numbers were taken on."""
    model = next((s.split(":")[1].strip() for s in Path("/proc/cpuinfo").read_text().splitlines() if s.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "tools": tools()}


def tools() -> dict[str, str]:
    """Versions of ours and the peers' packages that are installed."""
    found = {}
    for name in ENGINES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


class Results:
    """The rows of one benchmark.

    Args:
        name: File name without suffix, below `results/`.
        again: Forget what an earlier run wrote.
    """

    def __init__(self, name: str, *, again: bool = False) -> None:
        self.path = FOLDER / f"{name}.json"
        stored = json.loads(self.path.read_text()) if self.path.exists() and not again else {}
        self.rows: dict[str, Row] = stored.get("rows", {})

    def fill(self, key: str, measure: Callable[[], Row]) -> Row:
        """The row of that key: the stored one, else measured now and stored. A failure is a row too, and is tried again next time."""
        self.fill_all([key], lambda: {key: measure()})
        return self.rows[key]

    def fill_all(self, keys: list[str], measure: Callable[[], Rows]) -> None:
        """Several rows that are measured together; nothing is done when all are there."""
        if all(key in self.rows and "error" not in self.rows[key] for key in keys):
            return
        start = time.perf_counter()
        try:
            rows = measure()
        except Exception as problem:  # the benchmark goes on; the table shows the failure
            traceback.print_exc()
            said = f"{type(problem).__name__}: {problem}"[:500]
            rows = {key: {"error": said} for key in keys}
        self.rows.update(rows)
        self._save()
        for key, row in rows.items():
            print(f"{key}: { {k: v for k, v in row.items() if not isinstance(v, list | dict)} }", file=sys.stderr)
        print(f"{time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)

    def _save(self) -> None:
        FOLDER.mkdir(exist_ok=True)
        rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row, sort_keys=True)}" for key, row in self.rows.items())
        aside = self.path.with_suffix(".part")
        aside.write_text(f'{{\n "machine": {json.dumps(machine())},\n "rows": {{\n{rows}\n }}\n}}\n')
        aside.replace(self.path)


def wanted(names: list[str]) -> list[str]:
    """The names given on the command line, else all."""
    given = [a for a in sys.argv[1:] if not a.startswith("-")]
    unknown = set(given) - set(names)
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(names)}")
    return given or names


def again() -> bool:
    """Whether `--again` asks to measure everything anew."""
    return "--again" in sys.argv[1:]
