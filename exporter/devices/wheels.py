"""The engines as Python wheels of another platform, fetched and unpacked here: pip under emulation takes minutes."""

import contextlib
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from exporter import shell
from exporter.devices.platforms import PYTHON, Platform
from exporter.errors import DiskError, ToolError

UNUSED = {
    "numpy": ("f2py", "_pyinstaller"), "onnx": ("backend/test",), "onnxruntime": ("transformers", "quantization", "tools", "datasets"),
    "ncnn": ("model_zoo", "utils"), "ai_edge_litert": ("tools", "aot"),
}  # fmt: skip
"""Parts of the packages that a runner has no use for: half of their bytes."""

FETCH_S = 900.0


@contextlib.contextmanager
def fetching(platform: Platform, folder: Path) -> Iterator[Callable[[], None]]:
    """Fetch the engines' wheels, with what they need, beside what the block does; pip is configured as the user has it.

    What it gives waits for them and unpacks them into the folder.

    Raises:
        ToolError: If pip is missing, or the package index lacks a wheel.
    """
    wheels = folder.with_name(f"{folder.name}-wheels")
    tags = [word for tag in platform.wheels for word in ("--platform", tag)]
    alone = ["--no-deps"] if platform.packages else []  # Debian's numpy stands for theirs
    if shell.run([sys.executable, "-m", "pip", "--version"], timeout_s=60, check=False, error=ToolError).code != 0:
        raise ToolError("pip is not installed here; it fetches the ARM engines", hint=f"{sys.executable} -m ensurepip")
    words: list[str | Path] = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", wheels, *tags,
             "--python-version", PYTHON, "--implementation", "cp", "--only-binary=:all:", *alone, *platform.requirements()]  # fmt: skip
    with shell.companion(words) as pip:

        def unpack() -> None:
            code, _, said = pip.let_go(FETCH_S)
            if code != 0:
                last = " | ".join(said.strip().splitlines()[-3:]) or f"nothing within {FETCH_S:g} s"
                hint = "look whether the package index can be reached and has these versions"
                raise ToolError(f"the engines for {platform.docker} cannot be fetched; pip last wrote: {last}", hint=hint)
            _unpack(wheels, folder)

        yield unpack


def _unpack(wheels: Path, folder: Path) -> None:
    folder.mkdir()
    for wheel in sorted(wheels.glob("*.whl")):
        try:
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(folder)
        except OSError as problem:
            raise DiskError(f"{wheel.name} cannot be unpacked: {problem.strerror}", hint="free some space in $TMPDIR") from problem
    shutil.rmtree(wheels)
    _slim(folder)


def _slim(folder: Path) -> None:
    for package, parts in UNUSED.items():
        for part in parts:
            shutil.rmtree(folder / package / part, ignore_errors=True)
    for tests in [p for p in folder.rglob("tests") if p.is_dir()]:
        shutil.rmtree(tests, ignore_errors=True)
