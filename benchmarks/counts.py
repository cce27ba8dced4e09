"""Instruction counts of real models on emulated cores: do fresh processes agree, and do the layers sum to the whole?

MEXPORT_KIT=KIT python -m benchmarks.counts [MODEL ...] [--again] [--runner=PATH]

Each row: one file in its engine on one core, counted in two fresh processes with empty stores. Needs qemu-user, a C compiler and a Docker
engine (the ARM root with LiteRT and onnxruntime comes from its image); --runner names ncnn's static program, else it is built.
"""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.ours import TARGETS, Built, build_all
from benchmarks.results import Results, Row, Rows, again, wanted
from benchmarks.sources import work_folder
from exporter.cost.counting import Counter, Tools
from exporter.cost.load import Counted
from exporter.devices.platforms import ARM64
from exporter.profiling import facts_of
from exporter.proving.subject import subjects
from exporter.store import Store

MODELS = {
    "ResNet8": "keras/mlperf_resnet8_cifar10/pretrainedResnet.h5",
    "KWS": "tf_savedmodel/mlperf_kws_dscnn/kws_ref_model",
    "MobileNetV2 0.35": "keras/st_flowers_mobilenet_v2_0.35_128/mobilenet_v2_0.35_128.h5",
    "UltraFace": "onnx/ultraface_320/version-slim-320_without_postprocessing.onnx",
}
"""Name to a path below kit/models."""

CORES = ("cortex-a53",)
TEXT = """## Exact cost: instructions on emulated cores

Counted, not measured: instructions of one inference in the steady state, one thread, by `mexport profile`. *Regions*: (most - least) /
least of three inferences of one process. *Processes*: difference of the medians of two fresh processes. *Layers*: sum of the layers over
the whole; ncnn's layers are between marks of their own, those of LiteRT and onnxruntime are differences of files cut behind each layer.

"""


def measure(kit: Path, name: str, tools: Tools, results: Results) -> None:
    """Build one model for all formats at fp32 and count each file on each core; rows that are there are left."""
    keys = {(f, core): f"{name} {f} {core}" for core in CORES for f in TARGETS}
    if all(key in results.rows and "error" not in results.rows[key] for key in keys.values()):
        return
    built = build_all(kit / "models" / MODELS[name], "--name", f"counts-{name.replace(' ', '-')}")
    for (file_format, core), key in keys.items():
        results.fill(key, partial(_row, built[file_format], core, tools))


def _row(one: Built | str, core: str, tools: Tools) -> Row:
    return {"error": one} if isinstance(one, str) else count(one, core, tools)


def count(built: Built, core: str, tools: Tools) -> Row:
    """Two fresh processes; the first one's layers."""
    first, second = (_fresh(built, core, tools, layers=layers) for layers in (True, False))
    totals = [found.whole.total for found in (first, second)]
    facts = facts_of(built.folder.name, first, "docker:arm64")
    shares = ("layers_over_whole", "tensor_share", "non_tensor_share", "beside_share")
    kept = ("engine", "version", "qemu", "spread", "threads", "whole", *shares)
    return {**{key: facts[key] for key in kept}, "totals": totals, "processes": abs(totals[0] / totals[1] - 1), "layers": len(first.layers)}


def _fresh(built: Built, core: str, tools: Tools, *, layers: bool) -> Counted:
    (subject,) = subjects(built.folder, threads=1)
    with tempfile.TemporaryDirectory(dir=work_folder()) as empty, Store(Path(empty)) as store:
        return Counter(store, core, tools=tools).count(subject.load(0), layers=layers)


def find_tools(store: Store) -> Tools:
    """The ARM root, and the program that runs ncnn."""
    from exporter.devices.native import build_runner
    from exporter.devices.root import root

    given = [word.partition("=")[2] for word in sys.argv[1:] if word.startswith("--runner=")]
    runner = Path(given[0]) if given else build_runner(store, "arm64-v8a").path
    return Tools(runner, root(store, ARM64, lambda text: print(text, file=sys.stderr)))


def page(rows: Rows) -> str:
    """The section of docs/benchmarks.md."""
    heads = ["file, core", "instructions", "regions %", "processes %", "layers %", "tensor work %", "non-tensor %", "beside %"]
    return TEXT + table(heads, [_line(key, row) for key, row in rows.items()])


def _line(key: str, row: Row) -> list[str]:
    if "error" in row:
        return [key, row["error"][:120], "", "", "", "", "", ""]
    shares = (f"{100 * row[name]:.1f}" for name in ("layers_over_whole", "tensor_share", "non_tensor_share", "beside_share"))
    return [key, f"{row['whole']['total']:,}", f"{100 * row['spread']:.4f}", f"{100 * row['processes']:.4f}", *shares]


def main() -> None:
    """Fill the rows that are missing."""
    kit, results = Path(os.environ["MEXPORT_KIT"]), Results("counts", again=again())
    with Store(work_folder() / "cache") as store:
        tools = find_tools(store)
        for name in wanted(list(MODELS)):
            measure(kit, name, tools, results)


if __name__ == "__main__":
    main()
