"""The kit's models on emulated ARM: every format's outputs against the bundle's reference, right answers against this computer's.

fp32 files run on a core with float32 kernels, fp16 files on one with half precision, int8 files on both; all that exists in 32 bits, too.

MEXPORT_KIT=KIT python -m benchmarks.arm [MODEL ...] [--again]
"""

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.golden import CASES
from benchmarks.int8_cases import CASES as INT8
from benchmarks.int8_cases import flags as int8_flags
from benchmarks.markdown import table
from benchmarks.ours import TARGETS, mexport
from benchmarks.results import Results, Row, Rows, again, wanted
from benchmarks.sources import work_folder
from exporter.data import InputSpec, open_data
from exporter.preprocessing import Preprocessing
from tests import kit_data

FILES = (("ncnn", "fp32"), ("tflite", "int8"), ("onnx", "fp32"), ("ncnn", "int8"), ("ncnn", "fp16"), ("tflite", "fp32"), ("onnx", "int8"))
"""Format and precision; in this order, each for all models."""

CORES = {"fp32": "cortex-a53", "fp16": "cortex-a76", "int8": "cortex-a53,cortex-a76"}
PICTURES = 200
"""Of the model's test data, the first of each class in turn."""

TEXT = """## The kit's models on emulated ARM

Each file in its engine, in a container for ARM under emulation (cortex-a15: 32-bit), against the Graph it was written from: the worst
output, before its final softmax too. *As here*: whether an int8 file gives this computer's outputs to the bit, and else what the first
layer gives that differs though all that it reads is equal. Right answers of 200 test pictures there and on this computer, on the core
named last. The int8 files were built before weights were rounded anew and scores narrowed by default: other numbers, the same operators.

"""


def measure(kit: Path, name: str, file_format: str, precision: str) -> Row:
    """Build one file, and run it on ARM."""
    out = _built(kit, name, file_format, precision)
    row: Row = {"cores": {}}
    places = [("docker:arm64", CORES[precision])]
    if file_format != "onnx":
        places.append(("docker:armv7", "cortex-a15"))
    for on, cores in places:
        told = mexport("verify", out, "--on", on, "--cpu", cores, "--json", may_fail=True)
        facts = json.JSONDecoder().raw_decode(told)[0]
        if "bundles" not in facts:
            raise RuntimeError(facts["error"]["message"])
        for b in facts["bundles"]:
            row["cores"][b["cpu"]] = _core(b)
    row["ok"] = all(core["ok"] for core in row["cores"].values())
    return row | _answers(kit, name, out, CORES[precision].split(",")[-1])


def _core(b: dict[str, Any]) -> Row:
    if b.get("crashed"):
        return {"ok": False, "verdict": b["verdict"]}
    every = [c for found in b["parity"].values() for c in (found, found.get("before_activation")) if c]
    worst = {"rel": max(c["rel"] for c in every), "sqnr_db": min(c["sqnr_db"] for c in every)}
    return {
        "ok": b["ok"],
        "engine": f"{b['engine']} {b['version']}",
        **worst,
        "host": b["host"],
        **({} if b["ok"] else {"verdict": b["verdict"]}),
    }


def _built(kit: Path, name: str, file_format: str, precision: str) -> Path:
    out = work_folder() / "arm" / name.replace("/", "-") / f"{file_format}-{precision}"
    target = ("--target", TARGETS[file_format], "--precision", precision)
    given = (*int8_flags(kit, name), "--accept-calibration") if precision == "int8" else CASES[name].flags
    mexport("build", kit / "models" / name, *target, *given, "-o", out)
    return next(f.parent for f in out.glob("*/manifest.json"))


def _data() -> Path:
    folder = work_folder() / "data"
    folder.mkdir(exist_ok=True)
    return folder


def _answers(kit: Path, name: str, out: Path, core: str) -> Row:
    """Right answers there and here, of the same pictures."""
    case = CASES[name]
    if case.data is None:
        return {}
    labels = ("--labels", kit_data.imagenet_labels(kit, _data())) if case.data is kit_data.imagenet else ()
    few = _few(name, case.data(kit, _data()))
    here = json.loads(mexport("eval", out, "--data", few, *labels, "--json"))["results"][0]
    there = json.loads(mexport("eval", out, "--data", few, *labels, "--on", "docker:arm64", "--cpu", core, "--json"))["results"][0]
    return {"n": here["n"], "right_here": here["right"], "right_there": there["right"], "answers_on": core}


def _few(name: str, whole: Path) -> Path:
    """200 of the test data, in the form that they have."""
    place = work_folder() / "arm" / f"few-{whole.name.partition('.')[0]}"
    if whole.is_dir():
        if not place.is_dir():
            classes = sorted(f for f in whole.iterdir() if f.is_dir())
            for folder in classes:
                (place / folder.name).mkdir(parents=True)
                for picture in sorted(folder.iterdir())[: -(-PICTURES // len(classes))]:
                    shutil.copy(picture, place / folder.name / picture.name)
        return place
    found = place.with_suffix(".npz")
    if not found.exists():
        found.parent.mkdir(parents=True, exist_ok=True)
        if whole.suffix == ".npz":
            with np.load(whole) as stored:
                x, y = stored["x"][:PICTURES], stored["y"][:PICTURES]
        else:
            spec = InputSpec("x", (28, 28, 1), "nhwc")
            data = open_data(str(whole), [spec], {"x": Preprocessing((0.0,), (1.0,), "gray")})
            inputs, y = data.pick(PICTURES)
            x = inputs["x"]
        np.savez(found, x=x, y=y)
    return found


def page(rows: Rows) -> str:
    """The section of docs/benchmarks.md."""
    heads = ["format, precision", "core", "files", "within limits", "worst rel", "as here", "as many right answers as here"]
    every = ["model, format, precision", "core", "rel", "SQNR dB", "within limits", "as here", "right there / here"]
    return TEXT + table(heads, _summary(rows)) + "\n" + table(every, [line for key, row in rows.items() for line in _lines(key, row)])


def _summary(rows: Rows) -> list[list[str]]:
    """A line for each format, precision and core."""
    groups: dict[tuple[str, str], list[tuple[Row, Row]]] = {}
    for key, row in rows.items():
        for name, core in row.get("cores", {}).items():
            groups.setdefault((" ".join(key.split()[-2:]), name), []).append((core, row if row.get("answers_on") == name else {}))
    return [_total(what, name, found) for (what, name), found in groups.items()]


def _total(what: str, name: str, found: list[tuple[Row, Row]]) -> list[str]:
    told = [core["host"]["equal"] for core, _ in found if core.get("host")]
    answers = [row["right_there"] == row["right_here"] for _, row in found if row]
    within, worst = sum(core["ok"] for core, _ in found), max(core.get("rel", float("inf")) for core, _ in found)
    here, right = (f"{sum(x)} of {len(x)}" if x else "" for x in (told, answers))
    return [what, name, str(len(found)), str(within), f"{worst:.1e}", here, right]


def _lines(key: str, row: Row) -> list[list[str]]:
    if "error" in row:
        return [[key, "", row["error"][:120].replace("|", "/"), "", "", "", ""]]
    return [_line(key, name, core, row) for name, core in row["cores"].items()]


def _line(key: str, name: str, core: Row, row: Row) -> list[str]:
    right = f"{row['right_there']} / {row['right_here']}" if row.get("answers_on") == name else ""
    if "rel" not in core:
        return [key, name, core["verdict"][:120].replace("|", "/"), "", "no", "", right]
    same = "" if core["host"] is None else "yes" if core["host"]["equal"] else "; ".join(["no", *_begin(core["host"])])
    sqnr = f"{core['sqnr_db']:.0f}" if core["rel"] else "exact"
    return [key, name, f"{core['rel']:.1e}", sqnr, "yes" if core["ok"] else "no", same, right]


def _begin(host: Row) -> list[str]:
    """What the layer gives in which an int8 file's outputs begin to differ from this computer's."""
    begins = host["begins"] or []
    return [f"first {b['op']}: {b['how']}" for b in begins[:1]]


def main() -> None:
    """All models, or those named."""
    kit = Path(os.environ["MEXPORT_KIT"])
    results = Results("arm", again=again())
    for file_format, precision in FILES:
        for name in (n for n in wanted(list(CASES)) if precision != "int8" or n in INT8):  # others have no calibration data
            results.fill(f"{name} {file_format} {precision}", partial(measure, kit, name, file_format, precision))


if __name__ == "__main__":
    main()
