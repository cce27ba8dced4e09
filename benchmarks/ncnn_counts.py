"""Instructions of the published nets on emulated cores: `python -m benchmarks.ncnn_counts [NET ...]` writes tables/ncnn_counts.json.

Each net is counted layer by layer from its structure file with weights of zero, an input of 0.01 and ncnn's default options, as benchncnn
times it. What is counted stays in a work folder ($MEXPORT_BENCH, else ~/.cache/mexport-bench), so that a stopped run goes on where it was.
About a quarter of an hour of processor time on a desktop.

Options: --runner PATH (the static program; default: built, or found in the cache), --work FOLDER, --table (write the table alone).
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ncnn_shapes import macs_by_layer
from exporter.cost.emulate import CACHES, Machine, machine
from exporter.cost.instructions import Region
from exporter.devices.platforms import ARM64
from exporter.runtimes.ncnn_param import ParamLayer, read_param
from exporter.store import Store

CORES = ("cortex-a53", "cortex-a72", "cortex-a76")
PLACE = Path(__file__).parent.parent / "tables/ncnn_counts.json"
FILL = 0.01
OPTIONS = {"cortex-a53": ("--option", "use_a53_a55_optimized_kernel=true")}
"""ncnn sets this one by the core's number, which it cannot read under emulation."""

LIMIT_S = 3600.0
COLUMNS = ("total", "load_store", "branch", "simd_fp", "multiplies", "bytes_loaded", "bytes_stored", "l1_misses", "l2_misses")
OTHER = ("(outputs)", "(setup)")
"""What an inference does beside its layers."""


@dataclass(frozen=True, slots=True)
class Net:
    """A published net: its structure file and its input (channels, height, width)."""

    name: str
    param: Path
    shape: tuple[int, int, int]

    def layers(self) -> list[ParamLayer]:
        """Those of the file."""
        return read_param(self.param)

    def input(self) -> str:
        """Name of its only input blob."""
        return next(layer.outputs[0] for layer in self.layers() if layer.kind == "Input")


def nets(kit: Path) -> list[Net]:
    """All of the kit, the smallest picture first."""
    folder = kit / "ncnn_bench"
    words = next(line for line in (folder / "SOURCE.txt").read_text().splitlines() if line.startswith("input w x h x c:"))
    found = []
    for word in words.split(":", 1)[1].split(","):
        name, size = word.split()
        w, h, c = map(int, size.split("x"))
        if (param := folder / f"{name}.param").is_file():
            found.append(Net(name, param, (c, h, w)))
    return found


def count(net: Net, cpu: Machine, runner: Path) -> dict[str, Any]:
    """One inference of a net after a first one: by layer, `COLUMNS` of each."""
    channels, height, width = net.shape
    words = ["--param", net.param, "--zero-weights", "--input", f"{net.input()}={channels},{height},{width}", "--fill", FILL]
    words += ["--marks", "--layers", "--cold", "--threads", 1, "--warmup", 0, "--runs", 1, *OPTIONS.get(cpu.core.name, ())]
    start = time.perf_counter()
    regions, _ = cpu.run([runner, *map(str, words)], timeout_s=LIMIT_S, what=net.name)
    return {"seconds": round(time.perf_counter() - start, 1), "qemu": cpu.version, "layers": list(_rows(net, regions))}


def _rows(net: Net, regions: Sequence[Region]) -> Iterator[list[Any]]:
    kinds = [*(layer.kind for layer in net.layers()), *OTHER]
    for region in regions:
        yield [kinds[region.layer], region.layer, *(getattr(region.counts, column) for column in COLUMNS)]


def main() -> None:
    """Count what is missing, then write the table."""
    words = argparse.ArgumentParser()
    words.add_argument("nets", nargs="*")
    words.add_argument("--runner", type=Path)
    words.add_argument("--work", type=Path)
    words.add_argument("--table", action="store_true")
    given = words.parse_args()
    work = given.work or Path(os.environ.get("MEXPORT_BENCH", Path.home() / ".cache/mexport-bench")) / "ncnn_counts"
    work.mkdir(parents=True, exist_ok=True)
    every = nets(Path(os.environ["MEXPORT_KIT"]))
    if not given.table:
        with Store() as store:
            _count_missing([n for n in every if not given.nets or n.name in given.nets], work, store, given.runner)
    PLACE.write_text(_table(every, work))


def _count_missing(wanted: Sequence[Net], work: Path, store: Store, runner: Path | None) -> None:
    if runner is None:
        from exporter.devices.native import build_runner

        runner = build_runner(store, "arm64-v8a").path
    for net in wanted:
        for core in CORES:
            place = work / f"{net.name}.{core}.json"
            if place.exists():
                continue
            row = count(net, machine(store, ARM64, core, caches=True), runner)
            place.with_suffix(".part").write_text(json.dumps(row))
            place.with_suffix(".part").replace(place)
            print(f"{net.name} on {core}: {row['seconds']} s", file=sys.stderr, flush=True)


def _table(every: Sequence[Net], work: Path) -> str:
    """The shipped form: a line a net and core, layers that are one kind and stand for one row each."""
    lines = []
    for net in every:
        done = {core: work / f"{net.name}.{core}.json" for core in CORES}
        macs = _macs(net, work) if any(place.exists() for place in done.values()) else {}
        for core, place in done.items():
            if place.exists():
                layers = [[kind, macs.get(index, 0), *counts] for kind, index, *counts in json.loads(place.read_text())["layers"]]
                lines.append(f'  {{"net": "{net.name}", "core": "{core}", "layers": {json.dumps(layers, separators=(",", ":"))}}}')
    about = {
        "source": "structure files of https://github.com/Tencent/ncnn, benchmark/models (BSD-3-Clause), weights of zero, input 0.01",
        "by": "python -m benchmarks.ncnn_counts", "caches": {core: CACHES[core] for core in CORES}, "columns": ["kind", "macs", *COLUMNS],
    }  # fmt: skip
    rows = ",\n".join(lines)
    return f'{{\n"about": {json.dumps(about, indent=1)},\n"counts": [\n{rows}\n]\n}}\n'


def _macs(net: Net, work: Path) -> dict[int, int]:
    place = work / f"{net.name}.macs"
    if not place.exists():
        place.write_text(json.dumps(macs_by_layer(net)))
    return {int(index): count for index, count in json.loads(place.read_text()).items()}


if __name__ == "__main__":
    main()
