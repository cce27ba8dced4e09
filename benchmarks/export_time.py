"""Fresh process to renamed file: seconds and peak memory, verification excluded, as the manifest has them; and how long `--help` takes.

    python -m benchmarks.export_time [mobilenet_v2 vgg16] [--again]

The ONNX sources are those that tf2onnx makes from the same nets. Best of five runs: the machine's other work only adds. What a Keras
source adds is TensorFlow's start, which has a row of its own: a fresh process that imports it and Keras, as our child does.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.ours import TARGETS, build, mexport
from benchmarks.peers import peer_file
from benchmarks.results import Results, Row, again, wanted
from benchmarks.sources import keras_file, samples_file

NETS = ["mobilenet_v2", "vgg16"]
RUNS = 5


def measure(name: str, source: Path, file_format: str) -> Row:
    """Build one source several times."""
    seconds, peak = [], []
    for _ in range(RUNS):
        built = build(source, file_format, "--samples", str(samples_file(name)), fresh=True)
        seconds.append(built.number("seconds_verify_excluded"))
        peak.append(built.number("peak_rss_verify_excluded"))
    weights = sum(f["bytes"] for f in built.manifest["files"] if f["path"].startswith("model."))
    return {"seconds": min(seconds), "all_seconds": seconds, "peak_rss_bytes": max(peak), "weight_bytes": weights}


def timed(work: Callable[[], object]) -> Row:
    """Wall time of some work that starts a fresh process."""
    seconds = []
    for _ in range(2 * RUNS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return {"seconds": min(seconds), "all_seconds": seconds}


def start_tensorflow() -> None:
    """Import TensorFlow and Keras in a process of their own."""
    code = "from exporter.sources.keras.loading import framework; framework('keras')"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def main() -> None:
    """Both nets, or those named."""
    results = Results("export_time", again=again())
    results.fill("--help", lambda: timed(lambda: mexport("--help")))
    results.fill("tensorflow", lambda: timed(start_tensorflow))
    for name in wanted(NETS):
        for kind in ("onnx", "keras"):
            for file_format in TARGETS:
                source = peer_file(name, "tf2onnx") if kind == "onnx" else keras_file(name)
                results.fill(f"{name} {kind} {file_format}", partial(measure, name, source, file_format))


if __name__ == "__main__":
    main()
