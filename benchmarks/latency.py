"""Our files against the usual routes', same engine, one thread, interleaved on this host.

python -m benchmarks.latency [NET ...] [--again]
"""

from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.ops import count_ops
from benchmarks.ours import TARGETS, build
from benchmarks.peers import ROUTES, peer_file
from benchmarks.results import Results, Row, again, wanted
from benchmarks.sources import keras_file, net_names, samples_file
from exporter.array import Array
from exporter.errors import MexportError
from exporter.latency import Versus, versus
from exporter.parity import compare
from exporter.runtimes.run import open_engine

RUNTIME = {"onnx": "onnxruntime", "tflite": "litert", "ncnn": "ncnn"}
OPTIONS: dict[str, dict[str, bool]] = {
    "ncnn": {"use_fp16_packed": False, "use_fp16_storage": False, "use_fp16_arithmetic": False, "use_bf16_storage": False}
}
"""fp32 through and through, for both files alike."""

BROKEN_REL = 1e-2
"""A peer's file whose outputs differ more than this from ours is broken, and not timed."""


def feeds(runtime: str, path: Path, x: Array, options: dict[str, bool]) -> tuple[dict[str, Array], Array]:
    """The sample as the file's only input wants it, and what the file answers, flat."""
    with open_engine(runtime, path, options=options) as engine:
        tensor = engine.facts["inputs"][0]
        channels_first = runtime == "ncnn" or tuple(tensor["shape"][1:]) == (3, *x.shape[1:3])
        fed = x.transpose(0, 3, 1, 2) if channels_first else x
        arrays = {tensor["name"]: np.ascontiguousarray(fed[0] if runtime == "ncnn" else fed)}
        _, got = engine.call("run", arrays, tensors=None)
    return arrays, next(iter(got.values())).reshape(1, -1)


def measure(name: str, file_format: str, route: str) -> Row:
    """Ours against one route's file; a route that fails on a net, or gives other outputs, is a result too."""
    runtime, options, x = RUNTIME[file_format], OPTIONS.get(file_format, {}), np.load(samples_file(name))["x"][:1]
    ours = build(keras_file(name), file_format, "--samples", str(samples_file(name))).artifact
    our_feeds, our_output = feeds(runtime, ours, x, options)
    row: Row = {"our_ops": sum(count_ops(ours).values())}
    try:
        theirs = peer_file(name, route)
        their_feeds, their_output = feeds(runtime, theirs, x, options)
        rel = compare(our_output, their_output).rel
    except (RuntimeError, MexportError) as problem:
        return {**row, "peer": f"fails: {str(problem)[:200]}"}
    row = {**row, "their_ops": sum(count_ops(theirs).values()), "rel_to_ours": rel}
    if not rel <= BROKEN_REL:
        return {**row, "peer": f"wrong outputs: rel {rel:.1e}"}
    sides = [(partial(open_engine, runtime, p, options=options), f) for p, f in ((theirs, their_feeds), (ours, our_feeds))]
    return {**row, **timed(versus(*sides))}


def timed(result: Versus) -> Row:
    """The comparison with its samples, theirs as A, ours as B."""
    return {
        "theirs_ms": float(np.median(result.a_ms)),
        "ours_ms": float(np.median(result.b_ms)),
        "ratio": result.ratio,
        "low": result.low,
        "high": result.high,
        "not_slower": result.not_slower,
        "process_pairs": result.process_pairs,
        "all_theirs_ms": [round(ms, 4) for ms in result.a_ms],
        "all_ours_ms": [round(ms, 4) for ms in result.b_ms],
    }


def main() -> None:
    """All nets, or those named."""
    results = Results("latency", again=again())
    for name in wanted(net_names()):
        for file_format in TARGETS:
            for route in ROUTES[file_format]:
                results.fill(f"{name} {file_format} {route}", partial(measure, name, file_format, route))


if __name__ == "__main__":
    main()
