"""`mexport compress`, and `build` with the same flags, on the embedded sample: files, record, proof."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from exporter.sample import model_path
from exporter.schema import manifest_schema
from tests.command import mexport


@pytest.fixture(scope="module")
def compressed(sample_npz: Path, half: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compressed") / "small"
    ended = mexport("compress", model_path(), "--recipe", half, "--train", sample_npz, "-o", folder, "--json")
    assert ended.code == 0, ended.err
    assert set(ended.facts["files"]) == {"onnx", "keras", "record", "curves"}
    return folder


def test_the_record_tells_what_was_done(compressed: Path) -> None:
    record = json.loads((compressed / "record.json").read_text())
    assert [s["pass"] for s in record["steps"]] == ["clean", "PruneChannels", "Distill"]
    assert [row["step"] for row in record["compression"]["table"]] == ["as it came", "PruneChannels", "Distill"]
    assert 0.4 < record["compression"]["table"][1]["ratio"]["macs"] <= 0.5
    assert [e["epoch"] for e in record["steps"][2]["history"]] == [0, 1, 2]
    assert record["compression"]["counted_on"].startswith("held-out")
    assert all(row["top1"]["n"] == record["compression"]["table"][0]["top1"]["n"] for row in record["compression"]["table"])
    assert (compressed / "training.svg").read_text().startswith("<svg")
    assert not [f for f in compressed.iterdir() if f.name.startswith(".")]


def test_the_onnx_file_has_the_source_s_layout_and_an_open_batch(compressed: Path) -> None:
    model = onnx.load(compressed / "fashion.onnx")
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert dims[0].dim_param
    assert [d.dim_value for d in dims[1:]] == [28, 28, 1]
    assert any(n.op_type == "BatchNormalization" for n in model.graph.node)


def test_the_keras_file_loads_without_us_and_says_the_same(compressed: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0, 255, (4, 28, 28, 1)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    code = f"""
import sys; sys.modules["exporter"] = None
import keras, numpy as np
model = keras.models.load_model({str(compressed / "fashion.keras")!r})
np.save({str(tmp_path / "y.npy")!r}, model.predict(np.load({str(tmp_path / "x.npy")!r}), verbose=0))
"""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, cwd=tmp_path, env={**os.environ, "KERAS_BACKEND": "tensorflow"}
    )
    import onnxruntime

    session = onnxruntime.InferenceSession(compressed / "fashion.onnx", providers=["CPUExecutionProvider"])
    assert np.abs(session.run(None, {"pixels": x})[0] - np.load(tmp_path / "y.npy")).max() < 1e-5


def test_a_second_run_does_nothing(compressed: Path, sample_npz: Path, half: Path) -> None:
    before = {f.name: f.stat().st_mtime_ns for f in compressed.iterdir()}
    ended = mexport("compress", model_path(), "--recipe", half, "--train", sample_npz, "-o", compressed, "--json")
    assert ended.code == 0, ended.err
    assert ended.facts["up_to_date"]
    assert {f.name: f.stat().st_mtime_ns for f in compressed.iterdir()} == before


def test_another_compression_s_files_are_not_overwritten(compressed: Path, sample_npz: Path) -> None:
    ended = mexport("compress", model_path(), "--macs", "0.6", "--minutes", "0", "--train", sample_npz, "-o", compressed)
    assert (ended.code, "holds another compressed model" in ended.err) == (2, True)


def test_files_of_others_and_the_source_itself_stay(sample_npz: Path, tmp_path: Path) -> None:
    words = ["--macs", "0.6", "--samples", sample_npz]
    (tmp_path / "fashion.onnx").write_text("mine")
    ended = mexport("compress", model_path(), *words, "-o", tmp_path)
    assert (ended.code, "fashion.onnx is there already" in ended.err) == (2, True), ended.err
    own = tmp_path / "own"
    own.mkdir()
    source = own / "fashion.keras"
    source.write_bytes(model_path().read_bytes())
    for more in ([], ["--force"]):
        ended = mexport("compress", source, *words, "-o", own, *more)
        assert (ended.code, "is the model that is read" in ended.err) == (2, True), ended.err
    assert (tmp_path / "fashion.onnx").read_text() == "mine"
    assert source.read_bytes() == model_path().read_bytes()
    assert [f.name for f in own.iterdir()] == ["fashion.keras"]


def test_what_compress_wrote_is_built_like_any_model(compressed: Path, tmp_path: Path) -> None:
    for name in ("fashion.onnx", "fashion.keras"):
        ended = mexport("build", compressed / name, "-t", "tflite-arm64", "-o", tmp_path / name)
        assert ended.code == 0, ended.err


def test_build_takes_the_same_flags_and_the_same_path(compressed: Path, sample_npz: Path, half: Path, tmp_path: Path) -> None:
    """The store has the trained graph already: nothing is trained again."""
    import jsonschema

    words = ["build", model_path(), "-t", "tflite-arm64", "--recipe", half, "--train", sample_npz, "-o", tmp_path]
    ended = mexport(*words)
    assert ended.code == 0, ended.err
    bundle = tmp_path / "fashion--tflite-arm64"
    facts = json.loads((bundle / "manifest.json").read_text())
    jsonschema.validate(facts, manifest_schema())
    assert [s["pass"] for s in facts["steps"]] == ["clean", "PruneChannels", "Distill", "fold"]
    assert facts["steps"][2]["history"] == json.loads((compressed / "record.json").read_text())["steps"][2]["history"]
    assert max(c["rel"] for c in facts["parity"].values()) < 1e-4 < max(c["rel"] for c in facts["fidelity"].values())
    report = (bundle / "report.md").read_text()
    assert "## Compression" in report
    assert "as it came" in report
    assert (bundle / "training.svg").exists()
    assert mexport("verify", bundle).code == 0
    layers = mexport("verify", bundle, "--layers")
    assert layers.code == 0, layers.err
    assert "nothing done" in mexport(*words).out


def test_int8_of_a_compressed_model(sample_npz: Path, tmp_path: Path) -> None:
    words = [
        "build",
        model_path(),
        "-t",
        "tflite-arm64",
        "--macs",
        "0.5",
        "--samples",
        sample_npz,
        "--calibration",
        sample_npz,
        "-o",
        tmp_path,
    ]
    ended = mexport(*words)
    assert ended.code == 0, ended.err
    facts = json.loads((tmp_path / "fashion--tflite-arm64" / "manifest.json").read_text())
    assert [s["pass"] for s in facts["steps"]] == ["clean", "PruneChannels", "fold", "quantize"]
    assert facts["precision"] == "int8"


def test_without_training_data_it_is_pruned_lightly_and_said(sample_npz: Path, tmp_path: Path) -> None:
    ended = mexport("compress", model_path(), "--samples", sample_npz, "-o", tmp_path, "--json")
    assert ended.code == 0, ended.err
    row = ended.facts["record"]["compression"]["table"][-1]
    assert 0.7 < row["ratio"]["macs"] <= 0.8
    assert "curves" not in ended.facts["files"]
