"""The Android app: seconds to make it, its size, and how soon its list is there with 50 bundles, on a JVM.

python -m benchmarks.app [--again]; jars are in Maven's cache and ncnn's program is built before the clock starts.
"""

import json
import re
import resource
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.markdown import table
from benchmarks.ours import mexport
from benchmarks.results import Results, Row, Rows, again
from benchmarks.sources import work_folder
from exporter.app.build import app_jars
from exporter.app.compiled import compile_app
from exporter.app.jars import onnxruntime_libraries
from exporter.app.tools import find_tools
from exporter.bundle import find_bundles
from exporter.console import Console
from exporter.devices.native import Runner, build_runner, find_runner
from exporter.store import Store
from tests.android.jvm import Jvm, prepare, run_tests
from tests.emulated.phone_kit import LAYERS

MANY = 50
QUIET = Console(quiet=True)
QEMU = "qemu-aarch64 -cpu cortex-a53"
"""Starts an ARM program on this computer."""
START = re.compile(r"^START (\w+) (\d+) (\S+)$", re.MULTILINE)

TEXT = """## The Android app

`mexport app build` with the embedded sample in three formats, in a process of its own. *First*: an empty cache but for ncnn's program
(here with the kinds of layer named) and onnxruntime's package; the jars are in Maven's cache, the sample's bundles are built too.
CPU seconds: of all processes together. Start: from nothing to the drawn list of models, on a JVM (Robolectric), the first time in its
process; the first time after a screen of Android's own widgets, whose classes a phone has loaded before any app starts; and again. No
phone.

"""


def folder() -> Path:
    """Where it all happens."""
    place = work_folder() / "app"
    place.mkdir(parents=True, exist_ok=True)
    return place


def program(abi: str, layers: Sequence[str]) -> Runner:
    """ncnn's program with at least these kinds of layer, from the user's cache; built there if need be."""
    with Store() as store:
        return find_runner(store, abi, layers) or build_runner(store, abi, layers=layers, console=Console())


def first() -> Row:
    """From a cache that holds ncnn's program and onnxruntime's package, no more."""
    cache, runner = folder() / "first", program("arm64-v8a", LAYERS)
    shutil.rmtree(cache, ignore_errors=True)
    onnxruntime_libraries(find_tools(), "arm64-v8a", console=QUIET)
    for entry in (runner.path.parent, *(f.parent for f in (Store().root / "tool").glob("*/onnxruntime.aar"))):
        shutil.copytree(entry, cache / "tool" / entry.name)
    return _told(_made(cache)) | {"layers": len(runner.facts["layers"]) or "all"}


def _made(cache: Path, *bundles: Path, abi: str = "arm64-v8a") -> dict[str, Any]:
    begin, spent = time.perf_counter(), _cpu()
    told = json.loads(mexport("app", "build", *bundles, "-o", folder() / "demo.apk", "--abi", abi, "--json", cache=cache))
    return {**told, "seconds": time.perf_counter() - begin, "cpu_s": _cpu() - spent}


def _cpu() -> float:
    """Seconds of processor time of all that was started and has ended: other work on the computer hardly changes them."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _told(made: dict[str, Any]) -> Row:
    return {
        "seconds": round(made["seconds"], 2),
        "cpu_s": round(made["cpu_s"], 2),
        "mib": round(made["bytes"] / 2**20, 2),
        "engines": made["engines"],
        "abis": made["abis"],
    }


def other_bundles(cache: Path) -> Row:
    """The same bundles under other names."""
    place = folder() / "renamed"
    shutil.rmtree(place, ignore_errors=True)
    for bundle in find_bundles(cache / "sample"):
        shutil.copytree(bundle.path, place / f"other-{bundle.path.name}")
    return _told(_made(cache, place))


SIZES = {
    "TFLite": ("tflite", "arm64-v8a"),
    "ONNX": ("onnx", "arm64-v8a"),
    "ncnn": ("ncnn", "arm64-v8a"),
    "TFLite, x86_64": ("tflite", "x86_64"),
    "ONNX, x86_64": ("onnx", "x86_64"),
    "ONNX, armeabi-v7a": ("onnx", "armeabi-v7a"),
}
"""Apps with one engine, or for another processor: format and ABI."""


def size(file_format: str, abi: str) -> Row:
    """One of them."""
    cache = folder() / "first"
    bundle = next(b for b in find_bundles(cache / "sample") if b.manifest["target"]["format"] == file_format)
    return _told(_made(cache, bundle.path, abi=abi))


def jvm(out: Path, ncnn: str = "/bin/false") -> Jvm:
    """What runs the app on this computer."""
    tools = find_tools()
    jars = app_jars(tools, ("tflite",), ("arm64-v8a",), ("test", "framework"), console=QUIET)
    out.mkdir(parents=True, exist_ok=True)
    with Store() as store:
        return Jvm(tools, jars, compile_app(tools, jars, store, console=QUIET), ncnn, out)


def start(count: int) -> Row:
    """The list with so many bundles."""
    place = folder() / "many"
    shutil.rmtree(place, ignore_errors=True)
    sample = find_bundles(folder() / "first" / "sample")
    for i in range(count):
        source = sample[i % len(sample)].path
        shutil.copytree(source, place / "bundles" / f"number{i:02}-{source.name}")
    machine = jvm(place / "out")
    prepare(machine, find_bundles(place / "bundles"), place / "jvm", {"pictures": [], "top1": {}})
    row: Row = {"bundles": count}
    for test in ("theListHoldsEveryBundle", "onALoadedFramework"):  # each in a JVM of its own
        told = run_tests(machine, place / "jvm", machine.out, only=[f"dev.mexport.demo.ui.StartTest#{test}"])
        if {verdict for verdict, _ in told.values()} != {"ok"}:
            raise RuntimeError(str(told))
        row |= {f"{when}_ms": float(ms) for when, _, ms in START.findall((machine.out / "jvm.log").read_text())}
    return row


def page(rows: Rows) -> str:
    """The section of docs/benchmarks.md."""
    lines = [_line(key, row) for key, row in rows.items()]
    return TEXT + table(["what", "seconds", "CPU seconds", "MiB", "engines", "processors", "kinds of ncnn layer"], lines)


def _line(key: str, row: Row) -> list[str]:
    if "error" in row:
        return [key, row["error"][:120].replace("|", "/"), "", "", "", "", ""]
    if "first_ms" in row:
        what = f"start with {row['bundles']} bundle" + ("s" if row["bundles"] > 1 else "")
        first, loaded, again = (f"{row[f'{when}_ms'] / 1000:.2f}" for when in ("first", "framework", "again"))
        return [what, f"{first}, framework loaded {loaded}, again {again}", *[""] * 5]
    engines, abis = ", ".join(row["engines"]), ", ".join(row["abis"])
    figures = [f"{row['seconds']:.1f}", f"{row['cpu_s']:.1f}", f"{row['mib']:.1f}"]
    return [key, *figures, engines, abis, str(row.get("layers", ""))]


def main() -> None:
    """Everything."""
    results = Results("app", again=again())
    results.fill("first", first)
    results.fill("again", lambda: _told(_made(folder() / "first")))
    results.fill("other bundles", partial(other_bundles, folder() / "first"))
    for which, (file_format, abi) in SIZES.items():
        results.fill(f"alone: {which}", partial(size, file_format, abi))
    results.fill("start", partial(start, MANY))
    results.fill("start: one", partial(start, 1))


if __name__ == "__main__":
    main()
