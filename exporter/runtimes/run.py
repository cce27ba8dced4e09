"""Run a written file in its real engine, in a child process with a time limit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exporter.child import Child, Launcher
from exporter.errors import unknown_name

RUNTIMES = {"ncnn": "runtimes.ncnn", "litert": "runtimes.litert", "onnxruntime": "runtimes.onnxruntime"}
"""Engine name to the module (below `exporter`) whose `Session` runs it.

A `Session(path, threads, options)` has `facts` with "inputs" and "outputs" (lists of {name, shape, dtype}), "engine", "version" and
"load_ms", inherits `runtimes.batch.BatchSession`, and has three verbs, all answering (facts, arrays):
    run(arrays, tensors): one inference on one sample, arrays by input name in the file's own layout; returns the named tensors,
        inner ones too (taps), all outputs when `tensors` is None.
    run_many(arrays, tensors): `run` on every sample; arrays and answers have one more axis in front (from BatchSession).
    time(runs, warmup): inferences on the arrays of the last `run`; facts["ms"] holds every timed run, facts["first_ms"] the first ever.
"""


def open_engine(
    runtime: str,
    path: Path,
    *,
    threads: int = 1,
    options: dict[str, Any] | None = None,
    timeout_s: float = 300.0,
    launcher: Launcher | None = None,
) -> Child:
    """Start the engine on a file. Use as a context manager.

    Args:
        runtime: "ncnn", "litert" or "onnxruntime".
        path: The artifact's main file.
        threads: Threads of the engine.
        options: The manifest's `runtime_options`, e.g. {"use_fp16_arithmetic": False} for ncnn.
        timeout_s: Limit of one call.
        launcher: Where it runs; None for this computer.

    Raises:
        EngineError: If the engine refuses the file or crashes on it.
    """
    if runtime not in RUNTIMES:
        raise unknown_name("runtime", runtime, RUNTIMES)
    path = path.absolute()
    files = (path, path.with_suffix(".bin")) if runtime == "ncnn" else (path,)
    setup = {"path": str(path), "threads": threads, "options": options or {}}
    return Child(
        RUNTIMES[runtime], setup, what=f"{runtime} on {path.name}", timeout_s=timeout_s, launcher=launcher,
        files=[f for f in files if f.is_file()],
    )  # fmt: skip


def open_panel(
    runtime: str, paths: Sequence[Path], *, threads: int = 1, options: dict[str, Any] | None = None, timeout_s: float = 900.0
) -> Child:
    """Start one process of the engine that holds several files, to time them turn by turn; its verbs are those of `runtimes.panel`.

    Args:
        runtime: "ncnn", "litert" or "onnxruntime".
        paths: The artifacts' main files.
        threads: Threads of the engine.
        options: As for `open_engine`.
        timeout_s: Limit of one call.

    Raises:
        EngineError: If the engine refuses a file or crashes on it.
    """
    if runtime not in RUNTIMES:
        raise unknown_name("runtime", runtime, RUNTIMES)
    setup = {"module": RUNTIMES[runtime], "paths": [str(p) for p in paths], "threads": threads, "options": options or {}}
    return Child("runtimes.panel", setup, what=f"{runtime} on {len(paths)} files", timeout_s=timeout_s)
