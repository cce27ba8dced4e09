"""`./dev` says what is missing, under a plain POSIX shell."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def dev(folder: Path, python: str | None) -> subprocess.CompletedProcess[str]:
    """Run `./dev demo` of a copy that has no environment, with nothing on the path but a made-up python3.

    Args:
        folder: For the copy.
        python: Shell commands of that python3; "$2" is the code that it is to run. None: there is none.
    """
    shutil.copy(ROOT / "dev", folder)
    programs = folder / "bin"
    programs.mkdir()
    for name in ("dirname", "cat", "cksum", "rm", "sh"):
        (programs / name).symlink_to(str(shutil.which(name)))
    if python is not None:
        (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (programs / "python3").chmod(0o755)
    env = {k: v for k, v in os.environ.items() if k != "PYTHON"} | {"PATH": str(programs)}
    return subprocess.run(["/bin/sh", "./dev", "demo"], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ('case "$2" in *version_info*) echo 3.14;; esac', "python3 is 3.14; mexport needs Python 3.11, 3.12 or 3.13"),
        ('case "$2" in *version_info*) echo 3.9;; esac', "python3 is 3.9; mexport needs Python 3.11, 3.12 or 3.13"),
        ('case "$2" in *version_info*) echo 3.12;; *) exit 1;; esac', "apt install python3-venv (or python3.12-venv)"),
        (None, "apt install python3 python3-venv"),
    ],
)
def test_says_what_to_install(tmp_path: Path, python: str | None, said: str) -> None:
    done = dev(tmp_path, python)
    assert done.returncode == 7
    assert said in done.stderr
    assert not (tmp_path / ".venv").exists()
