"""The kit's models in the Android app: 50 pictures through the app's own classes and the real engines on a JVM, against this computer's.

MEXPORT_KIT=KIT python -m benchmarks.app_models [MODEL ...] [--again]
"""

import json
import os
import re
import shutil
from functools import partial
from pathlib import Path

from PIL import Image

from benchmarks.app import QEMU, folder, jvm, program
from benchmarks.golden import CASES
from benchmarks.markdown import table
from benchmarks.ours import TARGETS, mexport
from benchmarks.results import Results, Row, Rows, again, wanted
from benchmarks.sources import work_folder
from exporter.app.engines import ncnn_layers
from exporter.bundle import Bundle, find_bundles
from exporter.data import InputSpec, open_data
from exporter.preprocessing import Preprocessing
from tests import kit_data
from tests.android.jvm import prepare, run_tests
from tests.android.pictures import answers

PICTURES = 50
CHECK = re.compile(r"^CHECK (\{.*\})$", re.MULTILINE)
SAME = re.compile(r"^TOP1 (\S+) (\d+) (\d+)$", re.MULTILINE)
ONLY = ("dev.mexport.demo.measure.PicturesTest", "dev.mexport.demo.measure.EnginesTest#everyBundleGivesTheComputersOutputs")
FORMATS = ("onnx", "tflite", "ncnn")

TEXT = """## The kit's models in the Android app

Every Keras, SavedModel and ONNX model of the kit that has reference answers, in three formats: 50 pictures decoded, prepared and classified
by the app's own classes with the real engines, on a JVM (ncnn: the app's very program, under qemu), against what this computer's
engines take the same files for. `rel`: the bundle's reference inputs in the app, largest difference over the largest output. A model that
takes no pictures is compared on those only.

"""


def models(kit: Path) -> list[str]:
    """Those with reference answers that are no TFLite files."""
    return [name for name in json.loads((kit / "GOLDEN.json").read_text())["models"] if name in CASES]


def measure(kit: Path, names: list[str]) -> Rows:
    """Models that are shown the same pictures, in three formats: all in one app."""
    bundles = {f"{name} {b.manifest['target']['format']}": b for name in names for b in built(kit, name)}
    ran = _run(list(bundles.values()), pictures(kit, names[0]))
    missing: Rows = {key: {"error": "not built"} for name in names for key in keys(name) if key not in bundles}
    return missing | {key: ran[b.path.name] for key, b in bundles.items()}


def built(kit: Path, name: str) -> list[Bundle]:
    """A model's bundles; those of an earlier run are taken again."""
    place = folder() / "bundles" / name.replace("/", "-")
    if not place.is_dir():
        targets = [word for f in FORMATS for word in ("--target", TARGETS[f])]
        title = "-".join(name.split("/")[1:]).replace(".", "-")
        mexport("build", kit / "models" / name, *targets, "--precision", "fp32", *CASES[name].flags, "-o", place, "--name", title)
    return find_bundles(place)


def keys(name: str) -> list[str]:
    """Of a model's rows."""
    return [f"{name} {f}" for f in FORMATS]


def _run(bundles: list[Bundle], files: list[Path]) -> dict[str, Row]:
    """Rows by the name of the bundle."""
    place = folder() / "models"
    shutil.rmtree(place, ignore_errors=True)
    machine = jvm(place / "out", f"{QEMU} {program('arm64-v8a', ncnn_layers(bundles)).path}")
    prepare(machine, bundles, place / "jvm", answers(bundles, files))
    run_tests(machine, place / "jvm", machine.out, only=ONLY)
    log = (machine.out / "jvm.log").read_text()
    checks = {c["name"]: c for c in map(json.loads, CHECK.findall(log))}
    same = {name: {"same": int(n), "n": int(of)} for name, n, of in SAME.findall(log)}
    return {b.path.name: _row(checks.get(b.path.name), same.get(b.path.name, {})) for b in bundles}


def _row(check: Row | None, same: Row) -> Row:
    if check is None:
        return {"error": "the JVM ended before it", **same}
    kept = {"rel": check["rel"], "passed": check["passed"], "samples": check["samples"], "samples_top1": check["top1_agreement"]}
    return {**kept, **same, **({"error": check["error"]} if check["error"] else {})}


def pictures(kit: Path, name: str) -> list[Path]:
    """50 of the model's test pictures, the first of each class in turn, as PNG files."""
    source = CASES[name].data
    if source is None or source is kit_data.kws:
        return []
    place = folder() / f"pictures-{source.__name__}"
    if not place.is_dir():
        data = work_folder() / "data"
        data.mkdir(exist_ok=True)
        draft = place.with_suffix(".part")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for i, picture in enumerate(_drawn(source(kit, data))):
            picture.convert("RGB").save(draft / f"{i:02}.png")
        draft.rename(place)
    return sorted(place.glob("*.png"))


def _drawn(data: Path) -> list[Image.Image]:
    if data.is_dir():
        classes = [sorted(f.iterdir()) for f in sorted(data.iterdir()) if f.is_dir()]
        turns = [files[i] for i in range(max(map(len, classes))) for files in classes if i < len(files)]
        return [Image.open(file) for file in turns[:PICTURES]]
    spec = InputSpec("x", (28, 28, 1), "nhwc")
    inputs, _ = open_data(str(data), [spec], {"x": Preprocessing((0.0,), (1.0,), "gray")}).pick(PICTURES)
    return [Image.fromarray(x[:, :, 0].astype("uint8")) for x in inputs["x"]]


def page(rows: Rows) -> str:
    """The section of docs/benchmarks.md."""
    return TEXT + table(["model, format", "same top-1", "of", "rel", "within limits"], [_line(key, row) for key, row in rows.items()])


def _line(key: str, row: Row) -> list[str]:
    if "error" in row:
        return [key, row["error"][:120].replace("|", "/"), "", "", ""]
    counts = [str(row["same"]), str(row["n"])] if "n" in row else ["takes no pictures", ""]
    return [key, *counts, f"{row['rel']:.1e}", "yes" if row["passed"] else "no"]


def main() -> None:
    """All models, or those named."""
    kit = Path(os.environ["MEXPORT_KIT"])
    results = Results("app_models", again=again())
    chosen = wanted(models(kit))
    for data in dict.fromkeys(CASES[name].data for name in chosen):
        names = [name for name in chosen if CASES[name].data is data]
        results.fill_all([key for name in names for key in keys(name)], partial(measure, kit, names))


if __name__ == "__main__":
    main()
