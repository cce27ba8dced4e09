"""Make docs/benchmarks.md from the JSON files in results/: `python -m benchmarks.tables`."""

import json
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    app,
    app_models,
    arm,
    bridge,
    calibration,
    counts,
    int8_draws,
    int8_tables,
    prediction,
    pruning_scores,
    pruning_tables,
    qat,
    zoo,
)
from benchmarks.markdown import table
from benchmarks.results import FOLDER, Row, Rows

PAGE = Path(__file__).parent.parent / "docs/benchmarks.md"
README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- accuracy -->", "<!-- /accuracy -->"
"""The README's table stands between them."""

INTRO = """# Benchmarks

Made by `python -m benchmarks.tables` from `benchmarks/results/`; `./dev bench` measures again. Each number says what kind it is: times are
measured natively on the host named below, which is no phone.
"""

EXACTNESS = """## Exactness: eleven nets, fp32

`rel` = max |got - ref| / max |ref| on 8 seeded samples (the worse of before and after a final softmax): fidelity against Keras's own
outputs, parity against the Graph. Layout operators only move axes (Transpose, TRANSPOSE, Permute): an NHWC source costs an ONNX file one
for its picture input.

"""
GOLDEN = """## Real trained models, fp32

Right answers on whole test sets by the written file in its engine, and by the model's own framework on the same pictures. Models without
labelled data are compared on seeded samples only. The own framework's counts were taken once, outside this project; where a photo is
cropped (ImageNet) their rounding of the crop differs from ours by a pixel, and with our pictures the own framework gets 51 right too.

"""
EXPORT_TIME = """## Export time

Fresh process to renamed file, verification excluded; best of the runs in seconds, peak resident memory of the process. ONNX sources are
tf2onnx's files of the same nets. Keras sources load TensorFlow in a child process; *start* is that of a process that imports TensorFlow and
Keras and does nothing else, timed right before each build (the best too), *beside* the median of what a build took longer than the start
before it: the host's speed changes from minute to minute.

"""
LATENCY = """## Latency against the usual routes

Same engine, one thread, fp32, interleaved runs (200 pairs over 5 pairs of processes); medians in ms, ratio ours / theirs with its 95 %
bootstrap interval. Not slower: the interval is not wholly above 1.00 and the ratio is at most 1.05. A peer that makes no file, or one with
other outputs, is named. All nets but DenseNet121 and VGG16, whose rows are of an earlier version, were timed in one run, none again; other
work went on beside it, from SqueezeNet on more of it. Intervals draw process pairs first (docs/decisions/0027).
"""


def exactness(rows: Rows) -> str:
    """The eleven nets."""
    lines = [_exactness_line(key, row) for key, row in rows.items()]
    return EXACTNESS + table(["net, format", "fidelity rel", "parity rel", "operators", "layout operators", "MB"], lines)


def _exactness_line(key: str, row: Row) -> list[str]:
    if "error" in row:
        return [key, row["error"][:120], "", "", "", ""]
    rels = [f"{row[name]:.1e}" for name in ("fidelity_rel", "parity_rel")]
    return [key, *rels, str(row["op_count"]), str(row["layout_ops"]), f"{row['bytes'] / 1e6:.2f}"]


def golden(rows: Rows) -> str:
    """Real models."""
    lines = [_golden_line(key, row) for key, row in rows.items()]
    return GOLDEN + table(["model, format", "fidelity rel", "right", "own framework", "of", "top-1 %"], lines)


def _golden_line(key: str, row: Row) -> list[str]:
    if "error" in row:
        return [key, row["error"][:120], "", "", "", ""]
    rel = f"{row['fidelity_rel']:.1e}"
    if "right" not in row:
        return [key, rel, "", "", "", ""]
    return [key, rel, str(row["right"]), str(row["own_framework_right"]), str(row["n"]), f"{100 * row['right'] / row['n']:.2f}"]


def accuracy(rows: Rows) -> str:
    """Right answers of the three formats side by side, for the README."""
    models = list(dict.fromkeys(key.rsplit(" ", 1)[0] for key in rows))
    lines = []
    for model in models:
        row = {f: rows.get(f"{model} {f}", {}) for f in ("onnx", "tflite", "ncnn")}
        first = next((r for r in row.values() if "right" in r), None)
        if first is not None:
            right = [str(r.get("right", "–")) for r in row.values()]
            lines.append([f"`{model.split('/', 1)[1]}`", str(first["n"]), str(first["own_framework_right"]), *right])
    return table(["model", "pictures", "own framework", "onnx", "tflite", "ncnn"], lines)


def export_time(rows: Rows) -> str:
    """Seconds and memory."""
    lines = [_export_line(key, row) for key, row in rows.items()]
    return EXPORT_TIME + table(["source, format", "seconds", "start", "beside", "peak MB", "weights MB", "peak over weights"], lines)


def _export_line(key: str, row: Row) -> list[str]:
    if "error" in row:
        return [key, row["error"][:120], "", "", "", "", ""]
    if "peak_rss_bytes" not in row:
        return [f"`mexport {key}`", f"{row['seconds']:.2f}", "", "", "", "", ""]
    peak, weights = row["peak_rss_bytes"] / 1e6, row["weight_bytes"] / 1e6
    start = [f"{row[name]:.2f}" if name in row else "" for name in ("start_seconds", "beside_seconds")]
    return [key, f"{row['seconds']:.2f}", *start, f"{peak:.0f}", f"{weights:.1f}", f"{peak / weights:.1f}"]


def latency(rows: Rows) -> str:
    """Ours against the usual routes."""
    lines = [_latency_line(key, row) for key, row in rows.items()]
    timed = [row for row in rows.values() if "ratio" in row]
    told = f"{sum(r['not_slower'] for r in timed)} of {len(timed)} comparisons are not slower.\n" if timed else ""
    heads = ["net, format, peer", "ours ms", "theirs ms", "ratio", "interval", "operators ours / theirs", "not slower"]
    return LATENCY + told + "\n" + table(heads, lines)


def _latency_line(key: str, row: Row) -> list[str]:
    if "ratio" not in row:
        return [key, "", (row.get("peer") or row.get("error", ""))[:120].replace("|", "/"), "", "", "", ""]
    times = [f"{row[name]:.2f}" for name in ("ours_ms", "theirs_ms", "ratio")]
    ops = f"{row['our_ops']} / {row['their_ops']}"
    return [key, *times, f"{row['low']:.2f}–{row['high']:.2f}", ops, "yes" if row["not_slower"] else "no"]


SECTIONS: dict[str, Callable[[Rows], str]] = {
    "exactness": exactness,
    "golden": golden,
    "zoo": zoo.section,
    "latency": latency,
    "export_time": export_time,
    "int8_accuracy": int8_tables.accuracy,
    "int8_draws": int8_draws.draws,
    "int8_latency": int8_tables.latency,
    "int8_build": int8_tables.build,
    "calibration": calibration.section,
    "bridge": bridge.section,
    "pruning_exactness": pruning_tables.exactness,
    "pruning_latency": pruning_tables.latency,
    "pruning_scores": pruning_scores.section,
    "compression": pruning_tables.compression,
    "qat": qat.section,
    "arm": arm.page,
    "counts": counts.page,
    "prediction": prediction.page,
    "app": app.page,
    "app_models": app_models.page,
}
"""Results file to the section made from it."""


def main() -> None:
    """Write the page, and the README's accuracy table, from whatever results there are."""
    stored = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in SECTIONS if (FOLDER / f"{name}.json").exists()}
    machines = [results["machine"] for results in stored.values()]
    PAGE.write_text("\n".join([INTRO, *map(host, machines[-1:]), *(SECTIONS[name](results["rows"]) for name, results in stored.items())]))
    if "golden" in stored:
        head, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{head}{BEGIN}\n\n{accuracy(stored['golden']['rows'])}\n{END}{rest.partition(END)[2]}")


def host(machine: Row) -> str:
    """What the numbers were taken on, in a sentence."""
    tools = ", ".join(f"{name} {version}" for name, version in machine["tools"].items())
    return f"Host: {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; {tools}.\n"


if __name__ == "__main__":
    main()
