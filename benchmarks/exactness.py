"""Eleven nets in three formats at fp32: how far from Keras, which operators, how many that only move axes.

python -m benchmarks.exactness [NET ...] [--again]
"""

from functools import partial

from benchmarks.ops import LAYOUT, count_ops
from benchmarks.ours import TARGETS, build
from benchmarks.results import Results, Row, again, wanted
from benchmarks.sources import keras_file, net_names


def measure(name: str, file_format: str) -> Row:
    """Build one net for one format."""
    built = build(keras_file(name), file_format)
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
        for file_format in TARGETS:
            results.fill(f"{name} {file_format}", partial(measure, name, file_format))


if __name__ == "__main__":
    main()
