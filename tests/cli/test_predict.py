"""`mexport predict`: what is refused before anything is counted, completion, and the words of its tables."""

from pathlib import Path

import pytest

from exporter.cli.predict import complete_devices, predict_text
from tests.command import mexport
from tests.small_models import classifier

PARAM = "7767517\n2 2\nInput in0 0 1 in0 0=8 1=8 2=3\nReLU relu 1 1 in0 out0\n"


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    """An ncnn file without weights."""
    path = tmp_path / "relu.param"
    path.write_text(PARAM)
    path.with_suffix(".bin").write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("device", "words", "hint"),
    [
        ("snapdragon-855-pls", "unknown device: snapdragon-855-pls", "did you mean `snapdragon-855-plus`?"),
        ("jetson-nano", "nothing is fitted for this device's core (published as NVIDIA Jetson Nano)", "mexport bench OUT --on adb:SERIAL"),
    ],
)
def test_devices_that_are_not_predicted_for(relu, device, words, hint):
    ended = mexport("predict", relu, "--device", device)
    assert ended.code == 2
    assert words in ended.err
    assert hint in ended.err


def test_other_engines_have_no_table(tmp_path):
    ended = mexport("predict", classifier(tmp_path / "net.onnx"), "--input-shape", "1,3,16,16")
    assert ended.code == 2
    assert "no latency is predicted for onnxruntime: no table of known devices is published for it" in ended.err


@pytest.mark.parametrize(
    ("words", "said"), [(["--num-threads", "4"], "predicted for one thread"), (["--core", "cortex-a53"], "--core goes with --learn")]
)
def test_flags_that_do_not_go(relu, words, said):
    ended = mexport("predict", relu, *words)
    assert ended.code == 2
    assert said in ended.err


def test_completion_knows_names_and_aliases():
    assert complete_devices("snapdragon-8") == ["snapdragon-855-plus"]
    assert "bcm2712" in complete_devices("b")
    assert complete_devices("al") == ["all"]


def test_the_tables_of_a_prediction_and_of_an_answer():
    prediction = {
        "device": "pi", "core": "cortex-a76", "ms": 1234.4, "low": 12.34, "high": 1.2345, "held_out_error": 0.0592, "held_out_nets": 34,
        "own_times": 0,
    }  # fmt: skip
    answer = {"device": "pi", "core": "cortex-a76", "ratio": 0.8, "low": 0.7, "high": 0.9, "faster": True}
    text = predict_text(
        {
            "learned": None,
            "results": [{"name": "net", "precision": "fp16", "predictions": [prediction]}],
            "int8": [{"float": "net", "int8": "net8", "precision": "fp16", "answers": [answer, {**answer, "faster": None}]}],
        }
    )
    lines = text.splitlines()
    assert lines[0].startswith("net (fp16), one thread, predicted")
    assert lines[2].split() == ["pi", "cortex-a76", "1234", "12.3", "1.23", "5.9", "%", "34"]
    assert lines[-2].split() == ["pi", "cortex-a76", "0.80", "0.70", "0.90", "yes"]
    assert lines[-1].endswith("too close to tell")
