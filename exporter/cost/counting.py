"""Exact instruction counts of an artifact on an ARM core, kept in the store: the same file, engine and core always give the same."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.console import Console
from exporter.cost import by_runner, in_root
from exporter.cost.emulate import Machine, machine
from exporter.cost.instructions import Counts, median, spread
from exporter.cost.load import Counted, LayerCount, Load
from exporter.devices.native import build_runner, find_runner
from exporter.devices.platforms import ARM64, Platform
from exporter.devices.root import root
from exporter.fingerprint import fingerprint
from exporter.store import Store

REGIONS = 3
"""Inferences that are counted; their median is reported."""

TIMEOUT_S = 900.0
KIND = "counts"


@dataclass(frozen=True, slots=True)
class Tools:
    """Where a counter finds what is built elsewhere.

    Attributes:
        runner: ncnn's static program for the platform; None: built, or found in the cache folder.
        root: The ARM root folder; None: made, or found in the cache folder.
    """

    runner: Path | None = None
    root: Path | None = None


class Counter:
    """Counts on one core.

    Args:
        store: Where counts are kept; open as long as this is used.
        core: qemu's name of the core; None for the platform's first.
        platform: "arm64" or "armv7"; 32-bit counts have totals alone.
        caches: Count misses of the core's caches too (slower).
        tools: What is built elsewhere.
        timeout_s: Limit of one run under emulation, in seconds.
        console: Where progress goes.

    Raises:
        ToolError: If qemu, its plugin support or a C compiler is missing.
        UsageError: If the platform has no such core.
    """

    def __init__(
        self,
        store: Store,
        core: str | None = None,
        platform: Platform = ARM64,
        *,
        caches: bool = False,
        tools: Tools | None = None,
        timeout_s: float = TIMEOUT_S,
        console: Console | None = None,
    ) -> None:
        self.store, self.timeout_s = store, timeout_s
        self.tools = _Found(store, platform, tools or Tools(), console or Console(quiet=True))
        self.machine: Machine = machine(store, platform, core or next(iter(platform.cores)), caches=caches)

    def count(self, load: Load, *, layers: bool = False) -> Counted:
        """Instructions of one inference in the steady state: the median of three, after a warm-up; one thread.

        Args:
            load: What.
            layers: Tell layers apart too.

        Raises:
            EngineError: If the engine does not exist for the platform, crashes or takes too long.
        """
        self.machine.platform.require_engine(load.runtime)
        found = Counted.from_dict(self._kept(load, "whole", lambda: self._whole(load).as_dict()))
        if not layers:
            return found
        told = self._kept(load, "layers", lambda: replace(found, layers=self._layers(load)).as_dict())
        return replace(found, layers=Counted.from_dict(told).layers, method="marks" if load.runtime == "ncnn" else "prefixes")

    def _kept(self, load: Load, part: str, make: Any) -> Any:
        """What the store has, or what is made now."""
        m = self.machine
        key = fingerprint(
            part=part, load=load.fingerprint(), engine=self.tools.version(load), platform=m.platform.name, core=m.core,
            caches=m.caches, qemu=m.version, plugin=m.plugin.version, regions=REGIONS, code=_code(load.runtime),
        )  # fmt: skip
        while (folder := self.store.get(KIND, key)) is None:
            facts = make()
            with self.store.put(KIND, key) as draft:
                (draft / "counts.json").write_text(json.dumps(facts))
        return json.loads((folder / "counts.json").read_text())

    def _whole(self, load: Load) -> Counted:
        if load.runtime == "ncnn":
            told = by_runner.count_inferences(load, self.machine, self.tools.runner(load)[0], regions=REGIONS, timeout_s=self.timeout_s)
            return self._found("ncnn", told.version, max(r.threads for r in told.regions), [r.counts for r in told.regions])
        one = [in_root.File(load.path)]
        ran = in_root.run_files(load, one, self.machine, self.tools.root(), regions=REGIONS, timeout_s=self.timeout_s)
        return self._found(ran.facts["engine"], ran.facts["version"], ran.threads, ran.files[0])

    def _found(self, engine: str, version: str, threads: int, counts: Sequence[Counts]) -> Counted:
        m = self.machine
        totals = tuple(c.total for c in counts)
        return Counted(engine, version, m.platform.name, m.core.name, m.version, threads, median(counts), totals, spread(counts))

    def _layers(self, load: Load) -> tuple[LayerCount, ...]:
        if load.runtime == "ncnn":
            return by_runner.count_layers(load, self.machine, self.tools.runner(load)[0], timeout_s=self.timeout_s)
        return in_root.count_layers(load, self.machine, self.tools.root(), timeout_s=self.timeout_s)


class _Found:
    """Tools, found or built when first asked for."""

    def __init__(self, store: Store, platform: Platform, given: Tools, console: Console) -> None:
        self.store, self.platform, self.given, self.console = store, platform, given, console

    def runner(self, load: Load) -> tuple[Path, str]:
        """ncnn's static program with the layers that a file needs, and what it was made from."""
        if self.given.runner is not None:
            return self.given.runner, hashlib.sha256(self.given.runner.read_bytes()).hexdigest()
        abi = self.platform.abi.name
        found = find_runner(self.store, abi, tuple(by_runner.model_of(load).layers())) or build_runner(
            self.store, abi, console=self.console
        )
        return found.path, str(found.facts["made_from"])

    def root(self) -> Path:
        """The ARM root folder, from the platform's image."""
        if self.given.root is None:
            self.given = replace(self.given, root=root(self.store, self.platform, self.console.say))
        assert self.given.root is not None
        return self.given.root

    def version(self, load: Load) -> str:
        """What stands for the engine in a key."""
        if load.runtime == "ncnn":
            return self.runner(load)[1]
        return next(r for r in self.platform.requirements() if r.startswith(self.platform.engines[load.runtime]))


COMMON = ("emulate", "instructions", "segments")
OWN = {"ncnn": ("by_runner",), "litert": ("in_root", "steady", "prefix_tflite"), "onnxruntime": ("in_root", "steady", "prefix_onnx")}


def _code(runtime: str) -> str:
    """sha256 of those files of ours that counts depend on."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in (*COMMON, *OWN[runtime])]
    if runtime != "ncnn":
        files += [here.parent / "runtimes" / f"{name}.py" for name in ("batch", runtime)]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()
