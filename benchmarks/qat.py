"""Quantization with and without training, in the three formats: right answers on the 5,000 CIFAR-10 test pictures.

    MEXPORT_KIT=KIT python -m benchmarks.qat [MODEL.onnx ...] [--minutes 8] [--again]

Without a model it is the kit's ResNet8. A model by path takes the same pictures as they are, and learns from the kit's ResNet8. Calibrated
on 300 training pictures, trained on 25,000. Learning rate and loss were chosen on a split of training pictures; test pictures only count.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.compression_data import RESNET8, cifar10, kit
from benchmarks.int8_cases import arrays, flags, source_path
from benchmarks.int8_run import run
from benchmarks.markdown import table
from benchmarks.ours import TARGETS, build
from benchmarks.results import Results, Row, Rows
from benchmarks.sources import work_folder
from exporter.accuracy import rank_of_label

MINUTES = 8.0

HEADS = ["net", "format", "minutes", "steps", "PTQ, %", "QAT, %", "gain, points", "kept"]

INTRO = """## Training with rounded numbers

Right answers on 5,000 CIFAR-10 test pictures of int8 files, quantized after training (PTQ) and trained on with rounded numbers (QAT,
`--qat MINUTES`) on 25,000 training pictures. "kept": whether the training was better on held-out training pictures; else the file is PTQ's.
Minutes are by the clock: the steps tell how busy the host was. The rows of resnet8-quarter were measured before weights were rounded anew
by default.

"""


def label(source: Path) -> str:
    """What a net is called in the rows."""
    return "ResNet8" if source == source_path(kit(), RESNET8) else source.stem


def words(source: Path) -> tuple[str, ...]:
    """Preprocessing and calibration, as for the kit's ResNet8."""
    given = flags(kit(), RESNET8)
    name = given.index("--name")
    return *given[:name], *given[name + 2 :], "--name", f"qat-{label(source)}"


def measure(source: Path, file_format: str, minutes: float) -> Row:
    """One file; no minutes: quantized alone."""
    folder = work_folder() / "data"
    folder.mkdir(exist_ok=True)
    trained = ("--train", str(cifar10(folder)), "--qat", str(minutes)) if minutes else ()
    teacher = () if source == source_path(kit(), RESNET8) or not minutes else ("--teacher", str(source_path(kit(), RESNET8)))
    built = build(source, file_format, *words(source), *trained, *teacher, precision="int8")
    x, y = arrays(kit(), RESNET8, test=True)
    assert y is not None
    right = int((rank_of_label(run(built.artifact, x, options=built.runtime_options)[0], y) == 0).sum())
    step = built.manifest["steps"][-1]
    told = {k: v for k, v in step["facts"].items() if k != "sha256"} | step["settings"] if minutes else {}
    return {"right": right, "n": len(x), "minutes": minutes, **told}


def key(source: Path, file_format: str, minutes: float) -> str:
    """Of a row."""
    return f"{label(source)} {file_format} {f'QAT {minutes:g}' if minutes else 'PTQ'}"


def section(rows: Rows) -> str:
    """For docs/benchmarks.md."""
    return INTRO + table(HEADS, [_line(key, row, rows) for key, row in rows.items() if " QAT " in key])


def _line(name: str, row: Row, rows: Rows) -> list[str]:
    *net, file_format, _, minutes = name.split()
    plain = rows.get(f"{' '.join(net)} {file_format} PTQ", {})
    if "right" not in row or "right" not in plain:
        return [" ".join(net), file_format, minutes, row.get("error", "")[:100], *[""] * 4]
    before, after = (100 * r["right"] / r["n"] for r in (plain, row))
    figures = [f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}"]
    return [" ".join(net), file_format, minutes, str(row["steps"]), *figures, row["trained weights"]]


def main(given: Sequence[str] | None = None) -> None:
    """All rows that are missing, PTQ's first."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("models", nargs="*", type=Path)
    told.add_argument("--minutes", type=float, default=MINUTES)
    told.add_argument("--formats", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    told.add_argument("--again", action="store_true", help="measure everything anew")
    asked = told.parse_args(given)
    results = Results("qat", again=asked.again)
    for source in asked.models or [source_path(kit(), RESNET8)]:
        for minutes in (0.0, asked.minutes):
            for file_format in asked.formats:
                results.fill(key(source, file_format, minutes), partial(measure, source, file_format, minutes))
    print(section(results.rows))


if __name__ == "__main__":
    main()
