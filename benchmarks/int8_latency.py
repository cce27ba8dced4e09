"""Our int8 files against the peers' int8 files and against our own fp32 files: same engine, one thread, interleaved on this host.

MEXPORT_KIT=KIT python -m benchmarks.int8_latency [NET ...] [--peers] [--again]

--peers makes the peers' files and times nothing. The nets are those of the kit and the eleven of benchmarks/sources.py; the latter are
calibrated on random pictures of the kind that their batch norms were calibrated on.
"""

import os
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.int8_accuracy import job_of
from benchmarks.int8_cases import CASES, arrays, flags, slug, source_path
from benchmarks.int8_peers import PEERS, Job, made
from benchmarks.int8_run import RUNTIME, feeds
from benchmarks.latency import timed
from benchmarks.ops import count_ops
from benchmarks.ours import TARGETS, Built, build
from benchmarks.results import Results, Row, again, wanted
from benchmarks.sources import input_shape, keras_file, net_names, work_folder
from exporter.array import Array
from exporter.errors import MexportError
from exporter.latency import OpenEngine, versus
from exporter.runtimes.run import open_engine

CALIBRATION = 32
"""Random pictures that the eleven nets are calibrated on."""

OUR_FP32 = "our fp32"

ACCEPT = "--accept-calibration"
GUARD = ("--min-sqnr-db", "0")
"""Noise is no picture, and says nothing of accuracy: here only the time counts."""


def rivals(file_format: str) -> list[str]:
    """Whom our int8 file of a format is timed against."""
    return [*(peer for peer, theirs in PEERS.items() if theirs == file_format), OUR_FP32]


def net_job(name: str) -> Job:
    """The peers' work on one of the eleven nets."""
    folder = work_folder() / "int8" / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "calibration.npz"
    if not path.exists():
        from tests.nets import pictures

        np.savez(path, x=pictures(CALIBRATION, input_shape(name), seed=7))
    return Job(keras_file(name), path, folder)


def source_and_flags(kit: Path, name: str) -> tuple[Path, tuple[str, ...], Job, Array]:
    """What our command line builds a net's int8 file from, the peers' work on it, and one sample (1, ...)."""
    if name in CASES:
        return source_path(kit, name), flags(kit, name), job_of(kit, name), arrays(kit, name, test=True)[0][:1]
    job = net_job(name)
    words = ("--mean", "0", "--std", "1", "--calibration", str(job.calibration), "--name", f"{name}-int8", ACCEPT, *GUARD)
    return job.source, words, job, job.samples()[:1]


def measure(kit: Path, name: str, file_format: str, rival: str) -> Row:
    """Ours against one rival; a peer that makes no file is a result too."""
    source, words, job, x = source_and_flags(kit, name)
    if job.is_onnx and rival == "TFLiteConverter":
        return {"peer": "reads no ONNX"}
    theirs = _our_fp32(source, name, file_format) if rival == OUR_FP32 else _peer(job, rival)
    if theirs is None:
        return {"peer": f"{rival} makes no file"}
    built = _our_int8(source, file_format, (*words, "--io", _ends(*theirs)))
    ours = _side(built.artifact, built.runtime_options, x)
    row: Row = {"our_ops": sum(count_ops(built.artifact).values()), "their_ops": sum(count_ops(theirs[0]).values())}
    try:
        return {**row, **timed(versus(_side(*theirs, x), ours))}
    except MexportError as problem:
        return {**row, "peer": f"fails: {str(problem)[:200]}"}


def _ends(path: Path, options: dict[str, Any]) -> str:
    """The type of a file's input: ours is timed with the same at its ends."""
    with open_engine(RUNTIME[path.suffix], path, options=options) as engine:
        return str(engine.facts["inputs"][0]["dtype"])


@lru_cache(maxsize=1)
def _our_int8(source: Path, file_format: str, words: tuple[str, ...]) -> Built:
    """Built once for rivals with the same ends; a build with others takes its place on disk, so only the last one is remembered."""
    return build(source, file_format, *words, precision="int8")


def _peer(job: Job, peer: str) -> tuple[Path, dict[str, Any]] | None:
    """A peer's file, and what its engine is opened with."""
    try:
        return made(job, peer), {}
    except RuntimeError as problem:
        print(problem, file=sys.stderr)
        return None


def _our_fp32(source: Path, name: str, file_format: str) -> tuple[Path, dict[str, Any]]:
    """The same of our own float file."""
    built = build(source, file_format, "--name", f"{slug(name)}-fp32")
    return built.artifact, built.runtime_options


def _side(path: Path, options: dict[str, Any], x: Array) -> tuple[OpenEngine, dict[str, Array]]:
    """How to open a file, and the sample as it wants it."""
    runtime = RUNTIME[path.suffix]
    with open_engine(runtime, path, options=options) as engine:
        fed = {key: value[0] for key, value in feeds(engine, runtime, x).items()}
    return partial(open_engine, runtime, path, options=options), fed


def main() -> None:
    """All nets, or those named."""
    kit = Path(os.environ["MEXPORT_KIT"])
    results = Results("int8_latency", again=again())
    for name in wanted([*CASES, *net_names()]):
        if "--peers" in sys.argv:
            _make_peers(kit, name)
            continue
        for file_format in TARGETS:
            for rival in rivals(file_format):
                results.fill(f"{name} {file_format} {rival}", partial(measure, kit, name, file_format, rival))


def _make_peers(kit: Path, name: str) -> None:
    job = source_and_flags(kit, name)[2]
    for peer in PEERS:
        if job.is_onnx and peer == "TFLiteConverter":
            continue
        try:
            print(f"{name} {peer}: {made(job, peer).stat().st_size} bytes", file=sys.stderr, flush=True)
        except RuntimeError as problem:
            print(f"{name} {peer}: {problem}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
