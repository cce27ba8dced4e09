"""The nets of the benchmarks as files: `.keras` with seeded weights, made once."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def work_folder() -> Path:
    """Where big intermediate files go: $MEXPORT_BENCH, else build/benchmarks below the current folder."""
    folder = Path(os.environ.get("MEXPORT_BENCH", "build/benchmarks"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def net_names() -> list[str]:
    """All nets of tests/nets.py, smallest files first."""
    from tests.nets import NETS

    heavy = ["resnet50", "vgg16"]
    return [n for n in NETS if n not in heavy] + [n for n in heavy if n in NETS]


def keras_file(name: str) -> Path:
    """The net as a `.keras` file."""
    path = work_folder() / f"{name}.keras"
    if not path.exists():
        from tests.nets import build

        aside = path.with_name(f"part-{path.name}")
        build(name).save(aside)
        aside.replace(path)
    return path
