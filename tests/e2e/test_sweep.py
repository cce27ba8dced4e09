"""`mexport sweep` over the command line, with real engines; no time is asserted."""

import json
from pathlib import Path

import pytest

from tests.command import mexport
from tests.small_models import classifier


@pytest.mark.parametrize(
    ("target", "engine"),
    [("onnx-arm64", "onnxruntime"), pytest.param("tflite-arm64", "litert", marks=pytest.mark.slow), pytest.param("ncnn-arm64", "ncnn",
     marks=pytest.mark.slow)],
)  # fmt: skip
def test_all_layers(target: str, engine: str, tmp_path: Path):
    source = classifier(tmp_path / "net.onnx")
    ended = mexport("sweep", source, "-t", target, "--all", "--num-runs", 5, "-o", tmp_path / "s", "--json")
    assert ended.code == 0, ended.err
    facts = ended.facts
    assert facts["engine"].startswith(engine)
    assert (facts["kind"], facts["on"], facts["threads"]) == ("native", "host", 1)
    assert [(layer["layer"], layer["channels"]) for layer in facts["layers"]] == [("first", 8), ("dense", 5)]
    assert [p["width"] for p in facts["layers"][0]["points"]] == list(range(2, 9))
    assert all(p["rounds"] == 5 for layer in facts["layers"] for p in layer["points"])
    assert facts["step"] in (1, 2, 4, 8, 16, 32)
    assert all(Path(p).is_file() for p in facts["files"].values())
    stored = json.loads((tmp_path / "s/sweep.json").read_text())
    assert stored == {k: v for k, v in facts.items() if k != "files"}


def test_one_layer_and_its_widths(tmp_path: Path):
    source = classifier(tmp_path / "net.onnx")
    words = ("sweep", source, "--layer", "first", "--widths", "4,6,12", "--num-runs", 4, "-o", tmp_path / "s")
    ended = mexport(*words)
    assert ended.code == 0, ended.err
    assert "native on" in ended.out
    assert "first (Conv): 8 channels take" in ended.out
    lines = [line.split()[0] for line in ended.out.splitlines()[2:6]]
    assert lines == ["4", "6", "8", "12"]
    assert mexport(*words).code == 0  # the same again
    other = mexport("sweep", source, "--layer", "dense", "--num-runs", 4, "-o", tmp_path / "s")
    assert (other.code, "holds another sweep" in other.err) == (2, True)
    assert mexport("sweep", source, "--layer", "dense", "--num-runs", 4, "-o", tmp_path / "s", "--force").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "one of --layer NAME and --all is needed"),
        (("--layer", "first", "--all"), "one of --layer NAME and --all is needed"),
        (("--layer", "frist"), "did you mean `first`?"),
        (("--layer", "pool"), "it has no weights"),
        (("--layer", "first", "--widths", "4,x"), "--widths 4,x: whole numbers"),
        (("--layer", "first", "-t", "onnx-arm"), "did you mean `onnx-arm64`?"),
        (("--layer", "first", "--on", "adb:1"), "--on adb:1: sweep does not run there"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...], said: str, tmp_path: Path):
    ended = mexport("sweep", classifier(tmp_path / "net.onnx"), *words, "-o", tmp_path / "s")
    assert ended.code in (2, 11)
    assert said in ended.err
    assert not (tmp_path / "s").exists()
