"""What the static ncnn program is asked, and what is made of its answer."""

from pathlib import Path

import numpy as np
import pytest

from exporter.devices.ncnn_runner import NcnnModel, answer
from exporter.errors import EngineError

PARAM = """7767517
3 3
Input      in0   0 1 in0 0=4 1=3
Yolov3DetectionOutput strange 1 1 in0 a
ReLU       relu  1 1 a out0
"""


@pytest.fixture
def model(tmp_path: Path) -> NcnnModel:
    (tmp_path / "net.param").write_text(PARAM)
    options = {"use_fp16_storage": False, "use_packing_layout": True, "threads": 2, "input_shapes": {}}
    feeds = {"in0": np.arange(12, dtype=np.float64).reshape(3, 4)[:, ::-1]}
    return NcnnModel("net", tmp_path / "net.param", tmp_path / "net.bin", feeds, ["out0"], options)


def test_words_name_every_file_that_is_written(model: NcnnModel, tmp_path: Path) -> None:
    files, words = model.write(tmp_path, "m0"), model.words("m0")
    assert list(files) == ["m0.param", "m0.bin", "m0.in0"]
    assert set(files) <= {part for word in words for part in word.split("=")}
    assert "in0=3,4" in words
    assert [words[i + 1] for i, w in enumerate(words) if w == "--option"] == ["use_fp16_storage=false", "use_packing_layout=true"]


def test_inputs_are_plain_float32(model: NcnnModel, tmp_path: Path) -> None:
    stored = np.fromfile(model.write(tmp_path, "m0")["m0.in0"], np.float32)
    assert np.array_equal(stored.reshape(3, 4), model.feeds["in0"])


def test_kinds_of_layer_by_the_names_of_their_sources(model: NcnnModel) -> None:
    assert model.layers() == {"input", "relu", "yolov3detectionoutput"}


def test_an_answer_is_read() -> None:
    assert answer("net", 0, '{"load_ms": 1.5}\n', "ncnn says something") == {"load_ms": 1.5}


@pytest.mark.parametrize(
    ("code", "errors", "said"),
    [
        (3, "layer X not exists or registered\nerror: cannot load m0.param\n", "cannot load m0.param"),
        (132, "", "an instruction that this processor lacks"),
        (139, "Segmentation fault", "a bad access"),
        (77, "", "exit code 77"),
    ],
)
def test_a_failure_is_one_sentence(code: int, errors: str, said: str) -> None:
    with pytest.raises(EngineError, match=said) as caught:
        answer("net", code, "", errors)
    assert caught.value.hint
