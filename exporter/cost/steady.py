"""Runs inside the ARM root, under qemu: runs files in their engine, with marks for the plugin.

`python -m exporter.cost.steady REQUEST.json`: one file after the other is loaded, warmed up, then run `regions` times, each between two
marks that bear its number. Before them the same marks with nothing between, numbered EMPTY: what the marks themselves and their loop cost.
One thread; no collection of garbage meanwhile.
"""

import ctypes
import gc
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from exporter.errors import MexportError

MARK, BEGIN, END = 0x6D78, 1, 2
"""The plugin's system call and its first argument."""

EMPTY = -2
"""The mark of a region in which nothing runs."""

SETTLED = 20
"""Python specialises a loop's byte code in its first rounds: so many are run before any is counted."""

FIRST = 8
"""The first file is warmed up so often, since the session's own Python code has to settle too."""


def main(request: Path) -> None:
    """Do what the request says, and write its `reply`.

    Args:
        request: JSON: `module` of the engine, `options`, `arrays` (an .npz), `warmup`, `regions`, `reply` (a path), `files`: each `path`
            and `patches`, bytes in hexadecimal to write there beforehand.
    """
    job = json.loads(request.read_text())
    with np.load(job["arrays"], allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    marker = _marker()
    gc.disable()
    _marked(marker, lambda: None, EMPTY, SETTLED)
    session: Any = None
    for number, file in enumerate(job["files"]):
        session = None  # the one before goes before the next is loaded
        gc.collect()
        _patch(Path(file["path"]), file["patches"])
        session = importlib.import_module(f"exporter.{job['module']}").Session(file["path"], 1, job["options"])
        session.run(arrays, None)
        for _ in range(job["warmup"] if number else FIRST):
            session.again()
        _marked(marker, session.again, number, job["regions"])
    Path(job["reply"]).write_text(json.dumps({k: session.facts.get(k) for k in ("engine", "version")}))


def _patch(path: Path, patches: list[tuple[int, str]]) -> None:
    with path.open("r+b" if patches else "rb") as file:
        for place, content in patches:
            file.seek(place)
            file.write(bytes.fromhex(content))


def _marked(marker: Callable[[int, int], Any], work: Callable[[], None], number: int, times: int) -> None:
    for _ in range(times):
        marker(BEGIN, number)
        work()
        marker(END, number)


def _marker() -> Callable[[int, int], Any]:
    call = ctypes.CDLL(None).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_long)
    return lambda what, number: call(MARK, what, number)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except MexportError as problem:  # an engine's refusal in one line; of anything else the last lines of its traceback are told
        raise SystemExit(f"error: {problem.message.splitlines()[0]}") from None
