"""Fresh process to renamed file: seconds and peak memory, verification excluded, as the manifest has them; and how long `--help` takes.

    python -m benchmarks.export_time [mobilenet_v2 vgg16] [--again]

The ONNX sources are those that tf2onnx makes from the same nets. Best of the runs: the machine's other work only adds. What a Keras source
adds is TensorFlow's start: a fresh process that imports it and Keras and does nothing else is timed right before each build, in turns, for
the machine's speed changes from minute to minute. `beside_seconds` is the median of what a build took longer than the start before it.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.ours import TARGETS, build, mexport
from benchmarks.peers import peer_file
from benchmarks.results import Results, Row, again, wanted
from benchmarks.sources import keras_file, samples_file

NETS = ["mobilenet_v2", "vgg16"]
RUNS = 5


def measure(name: str, kind: str, file_format: str) -> Row:
    """Build one source several times; a Keras source in turns with TensorFlow's start."""
    source = peer_file(name, "tf2onnx") if kind == "onnx" else keras_file(name)
    starts, built = [], []
    for _ in range(RUNS):
        if kind == "keras":
            starts.append(seconds_of(start_tensorflow))
        built.append(build(source, file_format, "--samples", str(samples_file(name)), fresh=True))
    seconds = [b.number("seconds_verify_excluded") for b in built]
    peak = max(b.number("peak_rss_verify_excluded") for b in built)
    weights = sum(f["bytes"] for f in built[0].manifest["files"] if f["path"].startswith("model."))
    row: Row = {"seconds": min(seconds), "all_seconds": seconds, "peak_rss_bytes": peak, "weight_bytes": weights}
    if starts:
        beside = median(s - start for s, start in zip(seconds, starts, strict=True))
        row |= {"start_seconds": min(starts), "all_starts": starts, "beside_seconds": beside}
    return row


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def help_page() -> Row:
    """How long `mexport --help` takes."""
    seconds = [seconds_of(lambda: mexport("--help")) for _ in range(2 * RUNS)]
    return {"seconds": min(seconds), "all_seconds": seconds}


def start_tensorflow() -> None:
    """Import TensorFlow and Keras in a process of their own."""
    code = "import tensorflow, keras"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def main() -> None:
    """Both nets, or those named."""
    results = Results("export_time", again=again())
    results.fill("--help", help_page)
    for name in wanted(NETS):
        for kind in ("onnx", "keras"):
            for file_format in TARGETS:
                results.fill(f"{name} {kind} {file_format}", partial(measure, name, kind, file_format))


if __name__ == "__main__":
    main()
