"""Count LiteRT and onnxruntime: their Python packages, in an ARM root folder under qemu."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.array import save_arrays
from exporter.cost.emulate import Machine
from exporter.cost.instructions import Counts, Region, median
from exporter.cost.load import LayerCount, Load
from exporter.cost.prefix_onnx import cut_onnx
from exporter.cost.prefix_tflite import cut_tflite
from exporter.cost.segments import MOST, Segment
from exporter.cost.steady import EMPTY
from exporter.devices.root import PYTHON, SITE
from exporter.disk import Scratch
from exporter.errors import EngineError
from exporter.runtimes.run import RUNTIMES

WARMUP = 2
CODE = Path(__file__).resolve().parents[2]
"""Where the package is; the emulated Python imports the very same files."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to run, and what to write into it beforehand."""

    path: Path
    patches: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Steady:
    """What a run in the root gave.

    Attributes:
        files: For each file the counts of its regions, without the marks' own.
        facts: "engine" and "version".
        threads: Most threads at any mark.
    """

    files: tuple[tuple[Counts, ...], ...]
    facts: dict[str, Any]
    threads: int


def run_files(load: Load, files: Sequence[File], machine: Machine, root: Path, *, regions: int, timeout_s: float) -> Steady:
    """Run files with a load's inputs, one after the other in one process.

    Raises:
        EngineError: If the engine refuses a file, crashes or takes too long.
    """
    with Scratch() as folder:
        request, arrays, reply = (Path(folder, name) for name in ("request.json", "arrays.npz", "reply.json"))
        save_arrays(arrays, load.arrays)
        said = [{"path": str(f.path), "patches": [(place, content.hex()) for place, content in f.patches]} for f in files]
        job = {"module": RUNTIMES[load.runtime], "options": load.options, "arrays": str(arrays), "warmup": WARMUP, "regions": regions}
        request.write_text(json.dumps({**job, "reply": str(reply), "files": said}))
        found, _ = machine.run(
            [root / PYTHON, "-m", "exporter.cost.steady", request], root=root, env=_variables(root, machine), timeout_s=timeout_s,
            what=f"{load.runtime} on {load.path.name}",
        )  # fmt: skip
        facts = json.loads(reply.read_text())
    return _sorted(found, len(files), facts)


def _variables(root: Path, machine: Machine) -> dict[str, str]:
    """Nothing of the host's Python, no drawn hashes, one thread, no files of byte code beside the host's."""
    libraries = [f"{root}{folder}" for folder in machine.platform.library_path.split(":") if folder]  # qemu's statx looks past its -L
    return {
        "PYTHONPATH": f"{root / SITE}:{CODE}", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1",
        "PYTHONHOME": "", "PYTHONWARNINGS": "ignore", "LD_LIBRARY_PATH": ":".join(libraries), "LD_PRELOAD": "",
        "ORT_DISABLE_TELEMETRY": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def _sorted(found: Sequence[Region], count: int, facts: dict[str, Any]) -> Steady:
    empty = [r.counts for r in found if r.layer == EMPTY][-1]  # the loop's byte code is settled by now
    files = tuple(tuple(r.counts - empty for r in found if r.layer == number) for number in range(count))
    if not all(files):
        raise EngineError("some files were not counted", hint="run again with -v")
    return Steady(files, facts, max(r.threads for r in found))


def count_layers(load: Load, machine: Machine, root: Path, *, timeout_s: float, most: int = MOST) -> tuple[LayerCount, ...]:
    """Differences of the counts of files that are cut behind one layer after the other."""
    with Scratch() as scratch:
        parts, files = _prefixes(load, Path(scratch), most)
        ran = run_files(load, files, machine, root, regions=1, timeout_s=timeout_s)
    sums = [median(regions) for regions in ran.files]
    steps = zip(parts, sums, sums[1:], strict=False)
    return tuple(LayerCount(s.name, s.kind, s.tensor_work, after - before) for s, before, after in steps)


def _prefixes(load: Load, folder: Path, most: int) -> tuple[Sequence[Segment], list[File]]:
    if load.runtime == "onnxruntime":
        cut = cut_onnx(load.path, folder, most)
        return cut.segments, [File(path) for path in cut.paths]
    whole = cut_tflite(load.path, most)
    copy = folder / load.path.name
    shutil.copyfile(load.path, copy)
    with copy.open("ab") as stream:
        stream.write(whole.tail)
    return whole.segments, [File(copy, patches) for patches in whole.patches]
