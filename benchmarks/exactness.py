"""Eleven nets in three formats at fp32: how far from Keras, which operators, how many that only move axes.

python -m benchmarks.exactness [NET ...] [--again]
"""

from functools import partial

from benchmarks.ops import LAYOUT, count_ops
from benchmarks.ours import TARGETS, Built, build_all
from benchmarks.results import Results, Row, Rows, again, wanted
from benchmarks.sources import keras_file, net_names, samples_file


def measure(name: str) -> Rows:
    """Build one net for all formats."""
    built = build_all(keras_file(name), "--samples", str(samples_file(name)))
    return {f"{name} {f}": {"error": b} if isinstance(b, str) else facts(b, f) for f, b in built.items()}


def facts(built: Built, file_format: str) -> Row:
    """What the table says of one bundle."""
    ops = count_ops(built.artifact)
    files = [built.artifact, *([built.artifact.with_suffix(".bin")] if file_format == "ncnn" else [])]
    return {
        "fidelity_rel": built.rel("fidelity"),
        "parity_rel": built.rel("parity"),
        "ops": dict(sorted(ops.items())),
        "op_count": sum(ops.values()),
        "layout_ops": sum(ops[op] for op in LAYOUT[file_format]),
        "bytes": sum(f.stat().st_size for f in files),
    }


def main() -> None:
    """All nets, or those named."""
    results = Results("exactness", again=again())
    for name in wanted(net_names()):
        results.fill_all([f"{name} {f}" for f in TARGETS], partial(measure, name))


if __name__ == "__main__":
    main()
