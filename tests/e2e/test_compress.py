"""`mexport compress`, and `build` with the same flags, on the embedded sample: files, record, proof, resuming, refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from exporter.sample import model_path, pictures_path
from exporter.schema import manifest_schema
from tests.command import mexport, start

RECIPE = """
[[pass]]
name = "PruneChannels"
macs = 0.5

[[pass]]
name = "Distill"
epochs = 2
batch = 32
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's own pictures, twice over, as an .npz."""
    folders = sorted(f for f in pictures_path().iterdir() if f.is_dir())
    found = [(np.asarray(Image.open(p)), i) for i, folder in enumerate(folders) for p in sorted(folder.iterdir())]
    path = tmp_path_factory.mktemp("data") / "train.npz"
    np.savez(path, x=np.stack([x for x, _ in found] * 2), y=np.array([y for _, y in found] * 2))
    return path


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "half.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def compressed(data: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compressed") / "small"
    ended = mexport("compress", model_path(), "--recipe", recipe, "--train", data, "-o", folder, "--json")
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


def test_a_second_run_does_nothing(compressed: Path, data: Path, recipe: Path) -> None:
    before = {f.name: f.stat().st_mtime_ns for f in compressed.iterdir()}
    ended = mexport("compress", model_path(), "--recipe", recipe, "--train", data, "-o", compressed, "--json")
    assert ended.code == 0, ended.err
    assert ended.facts["up_to_date"]
    assert {f.name: f.stat().st_mtime_ns for f in compressed.iterdir()} == before


def test_another_compression_s_files_are_not_overwritten(compressed: Path, data: Path) -> None:
    ended = mexport("compress", model_path(), "--macs", "0.6", "--minutes", "0", "--train", data, "-o", compressed)
    assert (ended.code, "holds another compressed model" in ended.err) == (2, True)


def test_files_of_others_and_the_source_itself_stay(data: Path, tmp_path: Path) -> None:
    words = ["--macs", "0.6", "--samples", data]
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


def test_build_takes_the_same_flags_and_the_same_path(compressed: Path, data: Path, recipe: Path, tmp_path: Path) -> None:
    """The store has the trained graph already: nothing is trained again."""
    import jsonschema

    words = ["build", model_path(), "-t", "tflite-arm64", "--recipe", recipe, "--train", data, "-o", tmp_path]
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


def test_int8_of_a_compressed_model(data: Path, tmp_path: Path) -> None:
    words = ["build", model_path(), "-t", "tflite-arm64", "--macs", "0.5", "--samples", data, "--calibration", data, "-o", tmp_path]
    ended = mexport(*words)
    assert ended.code == 0, ended.err
    facts = json.loads((tmp_path / "fashion--tflite-arm64" / "manifest.json").read_text())
    assert [s["pass"] for s in facts["steps"]] == ["clean", "PruneChannels", "fold", "quantize"]
    assert facts["precision"] == "int8"


def test_without_training_data_it_is_pruned_lightly_and_said(data: Path, tmp_path: Path) -> None:
    ended = mexport("compress", model_path(), "--samples", data, "-o", tmp_path, "--json")
    assert ended.code == 0, ended.err
    row = ended.facts["record"]["compression"]["table"][-1]
    assert 0.7 < row["ratio"]["macs"] <= 0.8
    assert "curves" not in ended.facts["files"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "no pictures"),
        (["--macs", "0.5", "--params", "0.5", "--samples", "DATA"], 2, "together"),
        (["--latency", "fast", "--samples", "DATA"], 2, "--latency fast"),
        (["--macs", "0.5", "--score", "l3", "--samples", "DATA"], 2, "unknown score"),
        (["--macs", "0.001", "--samples", "DATA"], 6, "narrowest"),
        (["--minutes", "1", "--samples", "DATA"], 2, "training needs data"),
        (["--recipe", "RECIPE", "--macs", "0.5"], 2, "and so do flags"),
        (["--train", "nowhere"], 12, "nowhere does not exist"),
        (["--train", "DATA", "--teacher", "nowhere.keras"], 2, "no such teacher"),
    ],
)
def test_what_cannot_be_done_is_refused(words: list[str], code: int, said: str, data: Path, recipe: Path, tmp_path: Path) -> None:
    given = [{"DATA": str(data), "RECIPE": str(recipe)}.get(w, w) for w in words]
    ended = mexport("compress", model_path(), *given, "-o", tmp_path / "small")
    assert (ended.code, said in ended.err) == (code, True), ended.err
    assert not (tmp_path / "small").exists()


def test_classes_that_are_missing_are_told(data: Path, tmp_path: Path) -> None:
    with np.load(data) as stored:
        some = stored["y"] < 3
        np.savez(tmp_path / "three.npz", x=stored["x"][some], y=stored["y"][some])
    words = ["--macs", "0.7", "--minutes", "0", "--train", tmp_path / "three.npz", "-o", tmp_path / "small", "--json"]
    ended = mexport("compress", model_path(), *words)
    assert ended.code == 0, ended.err
    assert "3 of the model's 10 classes" in ended.err
    assert any("3 of the model's 10 classes" in note for note in ended.facts["record"]["notes"])


def test_data_that_nothing_is_trained_with_are_refused(data: Path, tmp_path: Path) -> None:
    ended = mexport("build", model_path(), "-t", "onnx-arm64", "--train", data, "-o", tmp_path / "out")
    assert (ended.code, "nothing is trained" in ended.err) == (2, True), ended.err


def test_a_plan_of_compression_trains_nothing(data: Path, recipe: Path, tmp_path: Path) -> None:
    ended = mexport("plan", model_path(), "-t", "onnx-arm64", "--recipe", recipe, "--train", data, "-o", tmp_path / "out", "--json")
    assert ended.code == 0, ended.err
    passes = ended.facts["targets"][0]["passes"]
    assert [p["pass"] for p in passes] == ["clean", "PruneChannels", "Distill", "fold"]
    assert "PruneChannels: macs = 0.5, score = entropy-next" in mexport("plan", model_path(), "-t", "onnx-arm64", "--macs", "0.5").out


def test_a_teacher_of_another_kind_is_refused(data: Path, tmp_path: Path) -> None:
    from tests.small_models import classifier

    words = ["--macs", "0.5", "--train", data, "--minutes", "0.05", "--teacher", classifier(tmp_path / "other.onnx")]
    ended = mexport("compress", model_path(), *words, "-o", tmp_path / "small")
    assert (ended.code, "the teacher has inputs of shapes" in ended.err) == (2, True), ended.err


def test_killed_while_training_it_goes_on(data: Path, tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(RECIPE.replace("epochs = 2", "epochs = 12"))
    words = ["compress", model_path(), "--recipe", tmp_path / "long.toml", "--train", data, "-o", tmp_path / "small", "--json"]
    cache = tmp_path / "cache"
    process = start(*words, MEXPORT_CACHE=str(cache))
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and _epoch(cache) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    reached = _epoch(cache)
    assert 2 <= reached < 12
    assert not (tmp_path / "small").exists()
    process = start(*words, MEXPORT_CACHE=str(cache))
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    history = json.loads(out)["record"]["steps"][2]["history"]
    assert [e["epoch"] for e in history] == list(range(13))


def _epoch(cache: Path) -> int:
    """The last epoch of which there is a checkpoint; -1 before the first."""
    for facts in cache.glob("model/*/checkpoints-*/checkpoint/facts.json"):
        try:
            return int(json.loads(facts.read_text())["facts"]["epoch"])
        except (OSError, ValueError):
            return -1
    return -1
