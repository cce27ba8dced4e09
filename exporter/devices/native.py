"""The static program that runs ncnn files on a phone and under emulators: built with zig, kept by source, compiler and layer list."""

import hashlib
import json
import os
import shlex
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.console import Console, Tell
from exporter.devices.abi import Abi, find_abi
from exporter.devices.fetch import NCNN, ZIG, Tools, fetch_ncnn, fetch_tools
from exporter.devices.layers import closed, require_known
from exporter.errors import ToolError
from exporter.fingerprint import fingerprint
from exporter.resources import data_folder
from exporter.shell import run
from exporter.store import Store

PROGRAM = "ncnn_runner"
FACTS = "runner.json"
SOURCES = (".cpp", ".h", ".txt", ".sh")
CONFIGURE_LIMIT_S = 1800.0
BUILD_LIMIT_S = 7200.0


@dataclass(frozen=True, slots=True)
class Runner:
    """A built program.

    Attributes:
        path: Where it is.
        abi: What it runs on.
        facts: As `runner.json` beside it has them: ncnn, zig, layers (empty for all), sha256, bytes, seconds it took to build.
    """

    path: Path
    abi: Abi
    facts: dict[str, Any]


def source_folder() -> Path:
    """Our part of the program's source."""
    return data_folder("native") / "ncnn-runner"


def find_runner(store: Store, abi: str, layers: Sequence[str] = ()) -> Runner | None:
    """A program built earlier from the same sources by the same compiler, that has these kinds of layer (all when empty)."""
    wanted, made_from = set(closed(layers, abi)), _made_from(find_abi(abi))
    for facts_file in sorted((store.root / "tool").glob(f"[!.]*/{FACTS}")):  # drafts begin with a dot
        facts = json.loads(facts_file.read_text())
        enough = not facts["layers"] or (wanted and wanted <= set(facts["layers"]))
        if enough and facts["made_from"] == made_from and (folder := store.get("tool", facts_file.parent.name)) is not None:
            return Runner(folder / PROGRAM, find_abi(abi), facts)
    return None


def build_runner(store: Store, abi: str, *, layers: Sequence[str] = (), console: Console | None = None) -> Runner:
    """The program, built where it is not there yet.

    Args:
        store: Where the compiler, ncnn's source and built programs are kept.
        abi: Android's name of what it is for.
        layers: Kinds of layer that it must have, by the names of ncnn's source files ("convolution"); all when empty.
        console: Where progress goes.

    Raises:
        ToolError: If the compiler is not to be had, or fails; has its last lines.
        UsageError: If there is no such ABI or layer.
    """
    voice = console or Console(quiet=True)
    there = find_runner(store, abi, layers)
    if there is not None:
        return there
    with voice.stage("fetching the compiler, and ncnn's source"):
        tools, ncnn = fetch_tools(store), fetch_ncnn(store)
    require_known(ncnn, layers)
    kept, made_from = closed(layers, abi), _made_from(find_abi(abi))
    libraries = store.place("tool", fingerprint(libraries_of=ZIG))
    key = fingerprint(made_from=made_from, layers=kept)
    with store.put("tool", key) as folder:
        _build(_Job(find_abi(abi), kept, tools, ncnn, (folder / "build").absolute(), libraries, made_from), folder, voice)
        shutil.rmtree(folder / "build")
    place = store.get("tool", key)
    if place is None:
        raise ToolError("the runner vanished from the cache when it was built", hint="run again")
    return Runner(place / PROGRAM, find_abi(abi), json.loads((place / FACTS).read_text()))


def _made_from(abi: Abi) -> str:
    files = sorted(p for p in source_folder().iterdir() if p.suffix in SOURCES)
    return fingerprint(sources={p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}, ncnn=NCNN, zig=ZIG, abi=abi)


@dataclass(frozen=True, slots=True)
class _Job:
    abi: Abi
    layers: tuple[str, ...]
    tools: Tools
    ncnn: Path
    folder: Path
    libraries: Path
    made_from: str

    @property
    def env(self) -> dict[str, str]:
        """zig keeps its C library between builds; what it compiles for us goes with the build."""
        kept = os.environ.get("ZIG_GLOBAL_CACHE_DIR", str(self.libraries))
        return {"ZIG_GLOBAL_CACHE_DIR": kept, "ZIG_LOCAL_CACHE_DIR": str(self.folder / "zig")}


def _build(job: _Job, done: Path, console: Console) -> None:
    started = time.monotonic()
    job.folder.mkdir()
    toolchain = _write_toolchain(job)
    hint = "run again with -v; `--layers` builds less"
    words: list[str | Path] = [
        job.tools.cmake, "-S", source_folder(), "-B", job.folder, "-G", job.tools.generator, "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_MAKE_PROGRAM={job.tools.make}", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
        f"-DNCNN_SOURCE={job.ncnn}", f"-DNCNN_VERSION={NCNN.rsplit('.', 1)[1]}", f"-DLAYERS={';'.join(job.layers)}",
    ]  # fmt: skip
    with console.stage(f"preparing the runner for {job.abi.name}"):
        run(words, timeout_s=CONFIGURE_LIMIT_S, env=job.env, error=ToolError, hint=hint)
    words = [job.tools.cmake, "--build", job.folder, "--target", PROGRAM, "--parallel", str(len(os.sched_getaffinity(0)))]
    with console.share(f"compiling the runner for {job.abi.name}") as tell, _counted(job.folder, tell):
        run(words, timeout_s=BUILD_LIMIT_S, env=job.env, error=ToolError, hint=hint)
    program = Path(shutil.move(job.folder / PROGRAM, done / PROGRAM))
    facts = {
        "abi": job.abi.name, "ncnn": NCNN, "zig": ZIG, "layers": list(job.layers), "made_from": job.made_from,
        "bytes": program.stat().st_size, "sha256": hashlib.sha256(program.read_bytes()).hexdigest(),
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    (done / FACTS).write_text(json.dumps(facts, indent=1) + "\n")


def _write_toolchain(job: _Job) -> Path:
    """CMake's file about the compiler, and the four programs that it names."""
    tools = job.folder / "tools"
    tools.mkdir()
    wrapper = shlex.join(["sh", str(source_folder() / "zig.sh"), str(job.tools.zig)])
    programs = {name: f'exec {wrapper} {name} {job.abi.zig} {job.abi.cpu} "$@"\n' for name in ("cc", "c++")}
    programs |= {name: f'exec {shlex.quote(str(job.tools.zig))} {name} "$@"\n' for name in ("ar", "ranlib")}
    for name, text in programs.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}")
        (tools / name).chmod(0o755)
    settings = {
        "SYSTEM_NAME": "Linux", "SYSTEM_PROCESSOR": job.abi.machine, "C_COMPILER": tools / "cc", "CXX_COMPILER": tools / "c++",
        "AR": tools / "ar", "RANLIB": tools / "ranlib", "TRY_COMPILE_TARGET_TYPE": "STATIC_LIBRARY",
    }  # fmt: skip
    file = tools / "toolchain.cmake"
    file.write_text("".join(f'set(CMAKE_{name} "{value}")\n' for name, value in settings.items()))
    return file


@contextmanager
def _counted(folder: Path, tell: Tell) -> Iterator[None]:
    """Tell how many files of all are compiled, while the block runs."""
    total = len(json.loads((folder / "compile_commands.json").read_text()))
    over, started = threading.Event(), time.monotonic()

    def watch() -> None:
        while not over.wait(1.0):
            done = min(sum(1 for _ in folder.rglob("*.o")), total)
            share = done / max(total, 1)
            left = (time.monotonic() - started) / share * (1 - share) if share > 0 else float("inf")
            tell(share, left, f"{done} of {total} files")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
