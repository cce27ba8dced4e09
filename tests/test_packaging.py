"""The wheel alone, outside the checkout, does the main job."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_WHEEL_BYTES = 5_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from the checkout by the tools already installed."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the wheel; its dependencies are those of the running interpreter, lent by a `.pth` file.

    A `.pth` file lends the folder only, not the `.pth` files in it, so an editable install of the checkout is not seen.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    python = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder


def run(environment: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment in a folder outside the checkout."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [str(environment / "bin" / words[0]), *words[1:]], cwd=folder, env=clean, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_wheel_is_small_and_holds_targets_sample_and_schema(wheel: Path) -> None:
    assert wheel.stat().st_size < MAX_WHEEL_BYTES
    names = zipfile.ZipFile(wheel).namelist()
    assert "exporter/targets/ncnn-arm64.toml" in names
    assert "exporter/native/ncnn-runner/main.cpp" in names
    assert "exporter/native/ncnn-runner/zig.sh" in names
    assert "exporter/sample/fashion.keras" in names
    assert "exporter/py.typed" in names
    assert sum(bool(re.fullmatch(r"exporter/sample/pictures/[^/]+/\d+\.png", n)) for n in names) == 300
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/", "docs/"))]


def test_the_checkout_is_not_what_runs(environment: Path, tmp_path: Path) -> None:
    done = run(environment, tmp_path, "python", "-c", "import exporter; print(exporter.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(environment), done.stderr


def test_builds_the_sample_outside_the_checkout(environment: Path, tmp_path: Path) -> None:
    done = run(environment, tmp_path, "mexport", "build", "--target", "ncnn-arm64", "-o", "out")
    assert done.returncode == 0, done.stderr
    bundle = tmp_path / "out/fashion--ncnn-arm64"
    assert {"model.ncnn.param", "model.ncnn.bin", "manifest.json", "reference.npz", "report.md", "USE.md"} <= {
        p.name for p in bundle.iterdir()
    }
