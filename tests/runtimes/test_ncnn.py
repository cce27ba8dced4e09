"""The ncnn runtime: what it refuses before the engine sees it, what it tells, and files of others."""

from pathlib import Path

import numpy as np
import pytest

from exporter.errors import EngineError, UsageError
from exporter.runtimes.ncnn import Session
from exporter.runtimes.ncnn_param import read_param
from exporter.runtimes.run import open_engine
from tests.formats.ncnn.running import written
from tests.formats.ncnn.test_ncnn_files import net


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return written(net(), tmp_path)[0].path


X = np.random.default_rng(0).normal(size=(3, 16, 16)).astype(np.float32)


def test_facts(model: Path) -> None:
    facts = Session(str(model)).facts
    assert facts["engine"] == "ncnn"
    assert facts["load_ms"] > 0
    assert facts["inputs"] == [{"name": "in0", "shape": (3, 16, 16), "dtype": "float32"}]
    assert [o["name"] for o in facts["outputs"]] == ["out0", "out1"]


def test_runs_in_a_child_and_times_every_run(model: Path) -> None:
    with open_engine("ncnn", model, threads=2, options={"use_fp16_arithmetic": False}) as engine:
        _, first = engine.call("run", {"in0": X})
        _, many = engine.call("run_many", {"in0": np.stack([X, X])})
        facts, _ = engine.call("time", runs=5, warmup=2)
    assert first["out0"].shape == (10,)
    assert first["out1"].shape == (8, 8, 8)
    assert np.array_equal(many["out0"][1], first["out0"])
    assert len(facts["ms"]) == 5
    assert facts["first_ms"] > 0


def test_answers_are_copies(model: Path) -> None:
    session = Session(str(model))
    first = session.run({"in0": X})[1]["out0"]
    kept = first.copy()
    session.run({"in0": X * 2})
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("given", [X.astype(np.float64), np.asfortranarray(X), X.transpose(2, 0, 1).copy().transpose(1, 2, 0)])
def test_inputs_of_any_layout_and_type_are_read_whole(model: Path, given: np.ndarray) -> None:
    """They are copied on the way in: ncnn must have its own before the copy goes."""
    session = Session(str(model))
    assert np.array_equal(session.run({"in0": given})[1]["out0"], session.run({"in0": X})[1]["out0"])


def test_an_unknown_option_is_named(model: Path) -> None:
    with pytest.raises(UsageError, match="use_fp16_arithmetics"):
        Session(str(model), 1, {"use_fp16_arithmetics": True})


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"in0": np.zeros((4, 16, 16), np.float32)}, r"\[3, 16, 16\], got \[4, 16, 16\]"),
        ({"in0": np.zeros((1, 3, 16, 16), np.float32)}, r"got \[1, 3, 16, 16\]"),
        ({"x": X}, r"inputs \['in0'\], got \['x'\]"),
    ],
)
def test_wrong_inputs_are_refused(model: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        Session(str(model)).run(arrays)


def test_an_unknown_blob_is_refused(model: Path) -> None:
    with pytest.raises(EngineError, match="no blob nowhere"):
        Session(str(model)).run({"in0": X}, ["nowhere"])


def test_timing_before_running_is_refused(model: Path) -> None:
    with pytest.raises(EngineError, match="nothing to time"):
        Session(str(model)).time(1)


@pytest.mark.parametrize("keep", [0, 3, 100, -4])
def test_a_truncated_bin_is_refused(model: Path, keep: int) -> None:
    weights = model.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[: keep or None] if keep else b"")
    with pytest.raises(EngineError, match="cut short"):
        Session(str(model))


def test_a_bin_that_is_too_long_is_refused(model: Path) -> None:
    weights = model.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes() + b"\0\0\0\0")
    with pytest.raises(EngineError, match=r"its .param reads"):
        Session(str(model))


def test_a_missing_bin_is_refused(model: Path) -> None:
    model.with_suffix(".bin").unlink()
    with pytest.raises(EngineError, match="no weights file"):
        Session(str(model))


def test_damaged_params_are_refused(model: Path) -> None:
    text = model.read_text()
    damaged = {
        "not an ncnn": "<html></html>",
        "announces": "\n".join(text.splitlines()[:-2]),
        "which no earlier layer makes": text.replace(" 1 1 in0 ", " 1 1 in7 ", 1),
        "damaged": text.replace("Pooling ", "Pooling x ", 1),
    }
    for words, content in damaged.items():
        model.write_text(content)
        with pytest.raises(EngineError, match=words):
            Session(str(model))


def test_a_layer_that_ncnn_lacks_is_an_error(model: Path) -> None:
    model.write_text(model.read_text().replace("HardSwish", "HardSwosh").replace("Pooling  ", "Poolong  ", 1))
    with pytest.raises(EngineError, match="refuses"):
        Session(str(model))


def test_a_file_from_elsewhere(kit: Path) -> None:
    path = kit / "models/ncnn/squeezenet_v1.1/squeezenet_v1.1.param"
    session = Session(str(path), 1, {"input_shapes": {"data": (3, 227, 227)}})
    assert session.outputs == ["prob"]
    got = session.run({"data": np.random.default_rng(0).normal(size=(3, 227, 227)).astype(np.float32) * 50})[1]["prob"]
    assert got.size == 1000
    assert abs(float(got.sum()) - 1) < 1e-3  # a softmax; half-precision weights
    with pytest.raises(EngineError, match=r"\[3, 227, 227\]"):
        session.run({"data": np.zeros((3, 10, 10), np.float32)})


def test_a_shape_given_as_an_expression_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.param"
    path.write_text('7767517\n2 2\nInput in0 0 1 in0\nReshape r 1 1 in0 out0 12=0 13=0 6="1,1,//(1280,0n),0n"\n')
    assert read_param(path)[1].params[6] == []
