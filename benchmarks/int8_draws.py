"""How much of a count of right answers is chance: the same nets, calibrated on five draws of training pictures, by us and by the peers.

MEXPORT_KIT=KIT python -m benchmarks.int8_draws [MODEL ...] [--again]

No picture is in two draws; the first is what `int8_accuracy` calibrates on. Each draw is judged as there: peers calibrated on the same.
"""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.int8_accuracy import facts, job_of, measure_float
from benchmarks.int8_cases import CASES, case_folder, decode, flags, source_path
from benchmarks.int8_judge import Verdict, lost, verdicts
from benchmarks.int8_peers import PEERS, Job, made
from benchmarks.int8_splits import DRAWS, TRAINING, drawn
from benchmarks.markdown import table
from benchmarks.ours import TARGETS, build_all
from benchmarks.results import Results, Row, Rows, again, wanted
from benchmarks.sources import work_folder

NAMES = [name for name, case in CASES.items() if case.split in TRAINING]
"""The nets for CIFAR-10 and flowers."""

INTRO = """### int8: how much of a count is chance

Right answers lost to the float file by files that were calibrated on five draws of 300 training pictures, none in two of them; the
first is that of the tables above. Unlike float: answers that are not the float file's, on average. Holds: in how many draws the figure does
that is asked of us, no more lost than by the best peer of the same draw plus 0.2 points, or one picture.

"""
COLUMNS = [*PEERS, *(f"ours {f}" for f in TARGETS)]


def job_of_draw(kit: Path, name: str, draw: int) -> Job:
    """The peers' work on a draw; their float files are made once for all."""
    whole, folder = job_of(kit, name), case_folder(name) / f"draw-{draw}"
    folder.mkdir(exist_ok=True)
    calibration = folder / "calibration.npz"
    if not calibration.exists():
        np.savez(calibration, x=decode(CASES[name], _pictures(kit, name, draw))[0])
    for route in ("float tflite", "float onnx") if not whole.is_onnx else ():
        made(whole, route)
        if not (link := folder / whole.file(route).name).exists():
            link.symlink_to(whole.file(route).resolve())
    return Job(whole.source, calibration, folder, whole.our_tflite)


def _pictures(kit: Path, name: str, draw: int) -> Path:
    return drawn(CASES[name].split, draw, kit, work_folder() / "data")


def measure_peer(kit: Path, name: str, peer: str, draw: int) -> Row:
    """A peer's file of a draw."""
    job = job_of_draw(kit, name, draw)
    return {"peer": "reads no ONNX"} if job.is_onnx and peer == "TFLiteConverter" else facts(kit, name, made(job, peer))


def measure_ours(kit: Path, name: str, draw: int) -> Rows:
    """Our three files of a draw."""
    built = build_all(source_path(kit, name), *flags(kit, name, _pictures(kit, name, draw)), precision="int8")
    return {
        _key(name, f"ours {f}", draw): {"error": b} if isinstance(b, str) else facts(kit, name, b.artifact, b.runtime_options)
        for f, b in built.items()
    }


def measure(kit: Path, results: Results, name: str) -> None:
    """All rows of a net that are missing."""
    results.fill(f"{name} float", partial(measure_float, kit, name))
    for draw in range(DRAWS):
        for peer in PEERS:
            results.fill(_key(name, peer, draw), partial(measure_peer, kit, name, peer, draw))
        results.fill_all([_key(name, f"ours {f}", draw) for f in TARGETS], partial(measure_ours, kit, name, draw))


def draws(rows: Rows) -> str:
    """Losses of every draw."""
    whole = [name for name in NAMES if all(_key(name, column, draw) in rows for column in COLUMNS for draw in range(DRAWS))]
    counted = [(n, c) for n in whole for c in COLUMNS if all("right" in rows[_key(n, c, draw)] for draw in range(DRAWS))]
    lines = [_line(name, column, rows) for name, column in counted]
    return INTRO + table(["net, file", *(f"draw {d + 1}" for d in range(DRAWS)), "mean", "unlike float", "of", "holds"], lines)


def _line(name: str, column: str, rows: Rows) -> list[str]:
    found = [rows[_key(name, column, draw)] for draw in range(DRAWS)]
    losses = [lost(row, rows[f"{name} float"]) for row in found]
    unlike = np.mean([row["n"] - row["agree"] for row in found])
    held = [v.holds for draw in range(DRAWS) for v in _verdicts(name, column, rows, draw)]
    told = f"{sum(map(bool, held))} of {len(held)}" if held else ""
    return [f"`{name.split('/', 1)[1]}` {column}", *map(str, losses), f"{np.mean(losses):.1f}", f"{unlike:.1f}", str(found[0]["n"]), told]


def _verdicts(name: str, column: str, rows: Rows, draw: int) -> Iterator[Verdict]:
    """What is asked of one of our files against the peers of its draw; nothing of a peer's."""
    own = {f"{name} {c}": rows[_key(name, c, draw)] for c in COLUMNS} | {f"{name} float": rows[f"{name} float"]}
    return (v for v in verdicts(name, own) if column == f"ours {v.file_format}" and "best peer" in v.figure)


def _key(name: str, column: str, draw: int) -> str:
    return f"{name} {column} draw {draw}"


def main() -> None:
    """All nets, or those named."""
    kit = Path(os.environ["MEXPORT_KIT"])
    results = Results("int8_draws", again=again())
    for name in wanted(NAMES):
        measure(kit, results, name)
    print(draws(results.rows))


if __name__ == "__main__":
    main()
