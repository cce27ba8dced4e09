"""How long an int8 build takes, and how much memory: from a calibrated Graph to the file, and a whole default build on 300 pictures.

MEXPORT_KIT=KIT python -m benchmarks.int8_build [ROW ...] [--again]

Every build is a process of its own with an empty store. From a calibrated Graph: the stages `quantize` and `write` of the manifest; best
of five, for the machine's other work only adds. Whole builds: wall time of the command from start to end, verification included, and the
peak resident memory that its manifests tell, the last of which was written after all other targets were verified.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.int8_cases import flags, source_path, split_paths
from benchmarks.int8_latency import ACCEPT, GUARD
from benchmarks.int8_splits import CALIBRATION_SAMPLES
from benchmarks.ours import TARGETS, build, build_all
from benchmarks.results import Results, Row, again, wanted
from benchmarks.sources import input_shape, keras_file, work_folder

RUNS = 5
FAST = ("--calibrator", "minmax", "--repair", "none")
"""Nothing is measured: ranges, scales, weights, file."""

SEEDED = ("mobilenet_v2", "resnet50")

REAL = {
    "mobilenet_v1_0.25_224": "keras/imagenet_mobilenet_v1_0.25_224/mobilenet_v1_0.25_224.h5",
    "mobilenet_v2_0.35_224": "keras/teachable_machine_flowers5/flower_model.h5",
}
"""Real MobileNets of the kit."""


def net_flags(name: str, count: int) -> tuple[str, ...]:
    """Random pictures for a net with seeded weights."""
    path = work_folder() / f"{name}-{count}-pictures.npz"
    if not path.exists():
        from tests.nets import pictures

        np.savez(path, x=pictures(count, input_shape(name), seed=7))
    return "--mean", "0", "--std", "1", "--calibration", str(path), ACCEPT, *GUARD


def from_calibrated(file_format: str, *words: str) -> Row:
    """Seconds of the stages after calibration."""
    source, given = keras_file("mobilenet_v2"), net_flags("mobilenet_v2", 32)
    seconds = []
    for _ in range(RUNS):
        built = build(source, file_format, *given, *words, precision="int8", fresh=True)
        seconds.append(built.number("seconds_quantize") + built.number("seconds_write"))
    return {"seconds": min(seconds), "all_seconds": seconds}


def whole(source: Path, *words: str) -> Row:
    """Wall time and peak memory of one default build for three targets."""
    start = time.perf_counter()
    built = build_all(source, *words, precision="int8", fresh=True)
    seconds = time.perf_counter() - start
    failed = {f: b for f, b in built.items() if isinstance(b, str)}
    if failed:
        return {"error": f"{failed}"[:500], "seconds": seconds}
    peak = max(b.number("peak_rss_verify_excluded") for b in built.values() if not isinstance(b, str))
    return {"seconds": seconds, "peak_rss_bytes": peak, "cores": os.cpu_count(), "pictures": CALIBRATION_SAMPLES}


def main() -> None:
    """All rows, or those named."""
    kit = Path(os.environ["MEXPORT_KIT"])
    results = Results("int8_build", again=again())
    rows: dict[str, Callable[[], Row]] = {
        **{f"mobilenet_v2 {f}, no repair": partial(from_calibrated, f, *FAST) for f in TARGETS},
        **{f"mobilenet_v2 {f}, default": partial(from_calibrated, f) for f in TARGETS},
        **{f"{name} whole": partial(_seeded, name) for name in SEEDED},
        **{f"{name} whole": partial(_real, kit, path) for name, path in REAL.items()},
    }
    for key in wanted(list(rows)):
        results.fill(key, rows[key])


def _seeded(name: str) -> Row:
    """A net at 224 with seeded weights."""
    return whole(keras_file(name), *net_flags(name, CALIBRATION_SAMPLES))


def _real(kit: Path, name: str) -> Row:
    """A real net on 300 photos of flowers, whatever its classes are: only the time counts."""
    photos = split_paths(kit, REAL["mobilenet_v2_0.35_224"])[0]
    words = [word for word in flags(kit, name) if not word.endswith("-labels.txt") and word != "--labels"]
    words[words.index("--calibration") + 1] = str(photos)
    return whole(source_path(kit, name), *words, ACCEPT)


if __name__ == "__main__":
    main()
