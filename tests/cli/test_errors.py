import errno
import json
import os
import subprocess
import sys

import pytest

from exporter.cli.command import Settings, ending
from exporter.errors import BY_CODE
from tests.command import ROOT, mexport


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("bild",), 2, "bild"),
        (("build", "--bogus"), 2, "--bogus"),
        (("build", "no-such-file.onnx", "-t", "onnx-arm64"), 2, "no such model: no-such-file.onnx"),
        (("targets", "show", "ncnn-amr64"), 2, "did you mean `ncnn-arm64`?"),
        (("report", "no-such-folder"), 2, "no such bundle"),
        (("bench", "no-such.tflite"), 2, "no such bundle or file"),
        (("build", "-t", "onnx-arm64", "--mean", "abc"), 2, "--mean abc"),
        (("build", "-t", "onnx-arm64", "--input-shape", "1,x"), 2, "--input-shape 1,x: not a shape"),
    ],
)
def test_errors_are_two_lines_and_an_exit_code(words, code, said):
    ended = mexport(*words)
    assert ended.code == code
    first, second = ended.err.strip().splitlines()[-2:]
    assert first.startswith("error: ")
    assert second.startswith("hint: ")
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("-v", "build"), "options stand behind the command: mexport COMMAND -v"),
        (("--versio",), "see `mexport --help`"),
        (("build", "--bogus"), "see `mexport build --help`"),
        (("targets", "shw"), "see `mexport targets --help`"),
    ],
)
def test_the_hint_names_the_command_to_ask(words, hint):
    assert mexport(*words).err.strip().endswith(f"hint: {hint}")


def test_errors_in_json_too():
    ended = mexport("targets", "show", "ncnn-amr64", "--json")
    assert ended.facts["error"] == {
        "type": "UsageError", "message": "unknown target: ncnn-amr64", "hint": "did you mean `ncnn-arm64`?", "exit_code": 2,
    }  # fmt: skip
    assert mexport("bild", "--json").facts["error"]["exit_code"] == 2


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_every_class_has_its_exit_code(code, capsys):
    def work():
        raise BY_CODE[code]("what we got", hint="what to do")

    assert ending(work, Settings()) == code
    assert capsys.readouterr().err == "error: what we got\nhint: what to do\n"


def test_a_full_disk_is_a_disk_error(capsys):
    def work():
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/file")

    assert ending(work, Settings()) == 10
    assert "the disk is full: /somewhere/file" in capsys.readouterr().err


def test_interrupted(capsys):
    def work():
        raise KeyboardInterrupt

    assert ending(work, Settings()) == 130


def test_an_unforeseen_error_is_one_sentence_and_a_trace_with_v(capsys):
    def work():
        raise RuntimeError("odd\nsecond line")

    assert ending(work, Settings(json=True)) == 1
    told = capsys.readouterr()
    assert "error: RuntimeError: odd" in told.err
    assert "Traceback" not in told.err
    assert json.loads(told.out)["error"]["exit_code"] == 1
    ending(work, Settings(verbose=True))
    assert "Traceback" in capsys.readouterr().err


CUT = """
import sys
from exporter.cli.command import Settings, ending

def cut():
    raise KeyboardInterrupt

sys.exit(ending(lambda: exec("cut()", {"cut": cut}), Settings()))
"""


def test_an_interrupt_ends_with_its_code_wherever_it_came(tmp_path):
    """Through an exec, as in making a dataclass while modules are imported."""
    (tmp_path / "cut.py").write_text(CUT)
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    done = subprocess.run([sys.executable, "-m", "cut"], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "interrupted")
