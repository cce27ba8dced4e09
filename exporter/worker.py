"""The child's side of `exporter.child`: `python -m exporter.worker MODULE`.

Reads one JSON request a line on standard input, calls a method of the module's `Session`, answers one JSON line. Whatever the
engine prints to standard output goes to standard error instead.
"""

import importlib
import json
import os
import sys
import traceback
from typing import Any, BinaryIO

import numpy as np

from exporter.array import save_arrays
from exporter.quick import start_quickly


def main(module: str) -> None:
    """Serve requests until standard input ends."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    session: Any = None
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            if request["verb"] == "__init__":
                session = importlib.import_module(f"exporter.{module}").Session(**request["args"])
                facts, arrays = getattr(session, "facts", {}), {}
            else:
                facts, arrays = _answer(session, request)
            if arrays:
                save_arrays(request["reply"], arrays)
            _send(replies, {"facts": {**facts, "peak_rss_bytes": peak_rss_bytes()}, "arrays": bool(arrays)})
        except Exception as problem:  # every failure is told to the parent, which raises it again
            traceback.print_exc()
            _send(replies, _describe(problem))


def _answer(session: Any, request: dict[str, Any]) -> Any:
    args = request["args"]
    if "arrays" in request:
        with np.load(request["arrays"], allow_pickle=False) as stored:
            args = {"arrays": {name: stored[name] for name in stored.files}, **args}
    return getattr(session, request["verb"])(**args)


def _describe(problem: Exception) -> dict[str, Any]:
    code = getattr(problem, "code", 0)
    if isinstance(code, int) and code and hasattr(problem, "hint"):
        return {"error": str(problem), "code": code, "hint": problem.hint}
    first = (str(problem).strip() or "no message").splitlines()[0][:500]
    return {"error": f"{type(problem).__name__}: {first}", "code": 0, "hint": None}


def peak_rss_bytes() -> int:
    """Peak resident memory of this process since its exec, in bytes (Linux: VmHWM)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def _send(stream: BinaryIO, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


if __name__ == "__main__":
    start_quickly()
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        os._exit(130)
