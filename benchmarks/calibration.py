"""Calibration: memory on 10 images and on many, and time against the bare forward passes of the same graph with the same threads.

    python -m benchmarks.calibration [resnet50 mobilenet_v2] [--images=1000] [--again]

Images are JPEG files of 224 x 224. The forward passes are onnxruntime's with its own default optimisations, on one sample in memory:
reading files, statistics and taps of every value are on calibration's side. Each measurement is a process of its own.
"""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.markdown import table
from benchmarks.results import Results, Row, Rows, again, wanted
from benchmarks.sources import input_shape, keras_file, work_folder

NETS = ["resnet50", "mobilenet_v2"]
FEW, MANY = 10, 1000
PASSES = 30
"""Bare forward passes that are timed."""

THREADS = 2

HEADS = ["net", "images", "peak MB on 10", "peak MB on all", "more MB", "seconds", "ms an image", "bare pass ms", "times a bare pass"]

INTRO = f"""## Calibration

Statistics of every value of a graph, one pass over JPEG images of 224 x 224, onnxruntime with {THREADS} threads; the bare pass is
onnxruntime's own, median of {PASSES}, on a sample that is in memory. Peak resident memory of the process.

"""


def pictures_folder(count: int) -> Path:
    """So many JPEG files; made once."""
    from tests.nets import pictures

    folder = work_folder() / f"calibration-{count}"
    aside = folder.with_name(f"part-{folder.name}")
    if not folder.exists():
        aside.mkdir(exist_ok=True)
        for i in range(count):
            pixels = np.clip(64 * pictures(1, (224, 224, 3), seed=i)[0] + 128, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(aside / f"{i}.jpg", quality=90)
        aside.rename(folder)
    return folder


def graph_folder(name: str) -> Path:
    """The finished Graph of a net on disk; made once."""
    from exporter.building.stages import finished_graph, raw_graph
    from exporter.graph.files import save_graph
    from exporter.sources.open import open_source
    from exporter.sources.options import LoadOptions
    from exporter.store import Store

    folder = work_folder() / f"{name}-graph"
    if not folder.exists():
        with Store(work_folder() / "cache") as store:
            graph, _ = finished_graph(raw_graph(open_source(keras_file(name)), LoadOptions(), store))
        folder.with_name(f"part-{folder.name}").mkdir(exist_ok=True)
        save_graph(graph, folder.with_name(f"part-{folder.name}"))
        folder.with_name(f"part-{folder.name}").rename(folder)
    return folder


def calibrated(graph: Path, pictures: Path) -> Row:
    """In this process: calibrate; seconds, peak memory."""
    from exporter.data import InputSpec, open_data
    from exporter.graph.files import load_graph
    from exporter.preprocessing import Preprocessing
    from exporter.quantization.collect import calibrate
    from exporter.worker import peak_rss_bytes

    loaded = load_graph(graph)
    name = loaded.inputs[0].source_name
    data = open_data(pictures, [InputSpec(name, (224, 224, 3), "nhwc")], {name: Preprocessing((128.0,), (64.0,))})
    start = time.perf_counter()
    statistics = calibrate(loaded, data, threads=THREADS).statistics
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_rss_bytes": peak_rss_bytes(), "values": len(statistics.values), "images": statistics.samples}


def bare(graph: Path) -> Row:
    """In this process: forward passes of the graph and nothing else."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(graph / "graph.onnx", options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    times = []
    for _ in range(PASSES + 3):
        start = time.perf_counter()
        session.run(None, {session.get_inputs()[0].name: x})
        times.append((time.perf_counter() - start) * 1e3)
    return {"bare_ms": float(np.median(times[3:])), "all_ms": times[3:]}


def child(*words: str | Path) -> Row:
    """One of the two above in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.calibration", "--child", *map(str, words)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def measure(name: str, images: int) -> Rows:
    """Bare passes before and after, so that a busy moment shows."""
    if input_shape(name) != (224, 224, 3):
        raise ValueError(f"{name} takes no 224 x 224 pictures")
    graph = graph_folder(name)
    before = child("bare", graph)
    few, many = (child("calibrated", graph, pictures_folder(n)) for n in (FEW, images))
    after = child("bare", graph)
    bare_ms = (before["bare_ms"] + after["bare_ms"]) / 2
    ms = many["seconds"] * 1e3 / many["images"]
    row = {
        "images": many["images"], "values": many["values"], "seconds": many["seconds"], "ms_an_image": ms, "bare_ms": bare_ms,
        "bare_ms_before": before["bare_ms"], "bare_ms_after": after["bare_ms"], "ratio": ms / bare_ms, "threads": THREADS,
        "peak_rss_bytes_few": few["peak_rss_bytes"], "peak_rss_bytes": many["peak_rss_bytes"],
    }  # fmt: skip
    return {name: row}


def section(rows: Rows) -> str:
    """For docs/benchmarks.md."""
    return INTRO + table(HEADS, [_line(key, row) for key, row in rows.items()])


def _line(key: str, row: Row) -> list[str]:
    if "error" in row:
        return [key, row["error"][:120], *[""] * (len(HEADS) - 2)]
    few, many = row["peak_rss_bytes_few"] / 1e6, row["peak_rss_bytes"] / 1e6
    numbers = [f"{row['seconds']:.1f}", f"{row['ms_an_image']:.0f}", f"{row['bare_ms']:.0f}", f"{row['ratio']:.2f}"]
    return [key, str(row["images"]), f"{few:.0f}", f"{many:.0f}", f"{many - few:.0f}", *numbers]


def main() -> None:
    """Both nets, or those named."""
    images = next((int(a.split("=")[1]) for a in sys.argv if a.startswith("--images=")), MANY)
    results = Results("calibration", again=again())
    for name in wanted(NETS):
        results.fill_all([name], partial(measure, name, images))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        job, *paths = sys.argv[2:]
        print(json.dumps(calibrated(*map(Path, paths)) if job == "calibrated" else bare(Path(*paths))))
    else:
        main()
