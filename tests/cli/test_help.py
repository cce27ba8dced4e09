import subprocess
import sys

import pytest

from exporter import __version__
from tests.command import ROOT, mexport

COMMANDS = ["build", "plan", "inspect", "verify", "eval", "bench", "sweep", "to-keras", "report", "doctor"]
NESTED = [
    ("targets", "list"), ("targets", "show"), ("targets", "validate"), ("cache", "ls"), ("cache", "gc"),
    ("app", "setup"), ("app", "build"), ("app", "install"), ("app", "run"), ("app", "test"), ("app", "pull"), ("app", "bench"),
]  # fmt: skip
HEAVY = ("numpy", "onnx", "onnx_ir", "onnxruntime", "tensorflow", "keras", "ncnn", "ai_edge_litert", "PIL", "h5py")


@pytest.mark.parametrize("words", [(c,) for c in COMMANDS] + NESTED, ids=" ".join)
def test_every_command_explains_itself_and_takes_the_shared_options(words):
    ended = mexport(*words, "--help")
    assert ended.code == 0
    for flag in ("--json", "--verbose", "--quiet", "--seed", "--num-threads", "--version"):
        assert flag in ended.out
    if len(words) == 1:
        assert "mexport " + words[0] in ended.out.replace("\n", " ").split("Example", 1)[1]


def test_help_imports_nothing_heavy():
    code = f"import sys; from exporter.cli.app import run; run(['--help']); print([m for m in {HEAVY!r} if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip().endswith("[]")


@pytest.mark.parametrize("words", [("--version",), ("build", "--version"), ("cache", "ls", "--version")])
def test_version_everywhere(words):
    assert mexport(*words).out.strip() == f"mexport {__version__}"


def test_no_command_shows_the_help():
    ended = mexport()
    assert ended.code == 2
    assert "Usage" in ended.out


def test_completion_names_the_targets():
    from exporter.cli.options import complete_targets

    assert complete_targets("ncnn-") == ["ncnn-arm64", "ncnn-armv7"]
