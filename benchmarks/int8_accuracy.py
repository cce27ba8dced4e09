"""int8 files of every model of the kit: ours in three formats and the peers', calibrated and measured on the same samples.

MEXPORT_KIT=KIT python -m benchmarks.int8_accuracy [MODEL ...] [--peers] [--ours-again] [--again]

--peers measures theirs alone; --ours-again forgets our rows. The float reference of a model is TFLiteConverter's float file of it, of an
ONNX source the source itself.
"""

import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.int8_cases import CASES, arrays, case_folder, flags, slug, source_path
from benchmarks.int8_files import float_ops, softmax_input
from benchmarks.int8_judge import verdicts
from benchmarks.int8_peers import PEERS, Job, made
from benchmarks.int8_run import aligned, run
from benchmarks.ours import TARGETS, Built, build, build_all
from benchmarks.results import Results, Row, Rows, again, wanted
from exporter.accuracy import rank_of_label
from exporter.array import Array
from exporter.parity import sqnr_db

LOGIT_SAMPLES = 200
"""Test samples, spread evenly, whose scores before the softmax are compared; reading them needs the engines' slow ways."""


def job_of(kit: Path, name: str) -> Job:
    """The peers' work on a model."""
    source, folder = source_path(kit, name), case_folder(name)
    arrays(kit, name, test=False)
    ours = folder / "ours-float.tflite"
    if source.suffix == ".onnx" and not ours.exists():
        shutil.copy(build(source, "tflite", "--name", f"{slug(name)}-fp32").artifact, ours)
    return Job(source, folder / "calibration.npz", folder, ours if source.suffix == ".onnx" else None)


def float_file(job: Job) -> Path:
    """What all are compared with."""
    return job.source if job.is_onnx else made(job, "float tflite")


def measure_float(kit: Path, name: str) -> Row:
    """Outputs of the float file, kept for the comparisons."""
    job, start = job_of(kit, name), time.perf_counter()
    x, y = arrays(kit, name, test=True)
    outputs = run(float_file(job), x)
    tap = softmax_input(float_file(job))
    kept = {f"output{i}": o for i, o in enumerate(outputs)}
    scores = None if tap is None else run(float_file(job), _some(x), tap=tap)[0]
    if scores is not None and scores.ndim == 2:  # one row of classes a sample, no detector's grid
        kept["logits"] = scores
    np.savez(_reference(name), allow_pickle=False, **kept)
    right = {} if y is None else {"right": _right(outputs, y)}
    return {"n": len(x), **right, "bytes": float_file(job).stat().st_size, "seconds": time.perf_counter() - start}


def measure_peer(kit: Path, name: str, peer: str) -> Row:
    """A peer's file; that it makes none is a result too."""
    job = job_of(kit, name)
    if job.is_onnx and peer == "TFLiteConverter":
        return {"peer": "reads no ONNX"}
    try:
        path = made(job, peer)
    except RuntimeError as problem:
        return {"peer": f"fails: {str(problem)[:300]}"}
    return facts(kit, name, path)


def measure_makers(kit: Path, name: str, makers: str) -> Row:
    """The makers' own int8 file, calibrated on data of theirs."""
    return facts(kit, name, kit / "models" / makers)


def measure_ours(kit: Path, name: str) -> Rows:
    """Our three files from one build."""
    built = build_all(source_path(kit, name), *flags(kit, name), precision="int8")
    return {f"{name} ours {f}": {"error": b} if isinstance(b, str) else _ours(kit, name, b) for f, b in built.items()}


def _ours(kit: Path, name: str, built: Built) -> Row:
    row = facts(kit, name, built.artifact, built.runtime_options)
    return {**row, "parity_rel": built.rel("parity")}


def facts(kit: Path, name: str, path: Path, options: dict[str, bool] | None = None) -> Row:
    """How far a file is from the float one: right answers, equal answers, SQNR of outputs and of the scores before a softmax."""
    start = time.perf_counter()
    x, y = arrays(kit, name, test=True)
    with np.load(_reference(name)) as kept:
        reference = [kept[key] for key in sorted(kept) if key != "logits"]
        logits = kept.get("logits")
    outputs = aligned(reference, run(path, x, options=options))
    each = [sqnr_db(ref, got) for ref, got in zip(reference, outputs, strict=True)]
    row: Row = {"n": len(x), "sqnr_db": min(each), "sqnr_each": each, "bytes": _size(path)}
    if y is not None:
        row |= {"right": _right(outputs, y), "agree": int(np.sum(reference[0].argmax(1) == outputs[0].argmax(1)))}
    tap = softmax_input(path) if logits is not None else None
    if logits is not None and tap is not None:
        row["logit_sqnr_db"] = sqnr_db(_centred(logits), _centred(run(path, _some(x), options=options, tap=tap)[0]))
    if path.suffix == ".tflite":
        row["float_ops"] = sorted(set(float_ops(path)))
    return {**row, "seconds": time.perf_counter() - start}


def _size(path: Path) -> int:
    """Bytes of a file; of ncnn's two."""
    return sum(f.stat().st_size for f in [path, *([path.with_suffix(".bin")] if path.suffix == ".param" else [])])


def _right(outputs: list[Array], labels: Array) -> int:
    return int(np.sum(rank_of_label(outputs[0], labels) == 0))


def _some(x: Array) -> Array:
    count = min(LOGIT_SAMPLES, len(x))
    return x[np.arange(count) * len(x) // count]


def _centred(scores: Array) -> Array:
    """A constant added to all scores of a sample changes no softmax."""
    flat = scores.reshape(len(scores), -1)  # some engines keep axes of one
    return np.asarray(flat - flat.mean(1, keepdims=True))


def _reference(name: str) -> Path:
    return case_folder(name) / "reference.npz"


def measure(kit: Path, results: Results, name: str) -> None:
    """All rows of a model that are missing."""
    results.fill(f"{name} float", partial(measure_float, kit, name))
    if not _reference(name).exists():
        measure_float(kit, name)
    for peer in PEERS:
        results.fill(f"{name} {peer}", partial(measure_peer, kit, name, peer))
    if makers := CASES[name].makers:
        results.fill(f"{name} makers", partial(measure_makers, kit, name, makers))
    if "--peers" not in sys.argv:
        results.fill_all([f"{name} ours {f}" for f in TARGETS], partial(measure_ours, kit, name))


def main() -> None:
    """All models, or those named; then what holds of the figures."""
    kit = Path(os.environ["MEXPORT_KIT"])
    results = Results("int8_accuracy", again=again())
    names = wanted(list(CASES))
    for name in names:
        for file_format in TARGETS if "--ours-again" in sys.argv else ():
            results.rows.pop(f"{name} ours {file_format}", None)
        measure(kit, results, name)
    for name in names:
        for verdict in verdicts(name, results.rows):
            print(verdict.line())


if __name__ == "__main__":
    main()
