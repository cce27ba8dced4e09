"""`mexport to-keras`: a model out to anyone's training code, and back."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.command import mexport
from tests.small_models import classifier

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3 on numpy 2

ALONE = """
import sys
sys.modules["exporter"] = None  # an import of it fails from here on
import keras, numpy as np
path, data, saved = sys.argv[1:]
model = keras.models.load_model(path)
stored = np.load(data)
assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
before = [np.array(w) for w in model.get_weights()]
model.compile("adam", "mse")
model.fit(stored["x"], stored["y"], epochs=1, batch_size=8, verbose=0)
assert all(np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights(), strict=True))
model.save(saved)
np.save(data + ".after.npy", model.predict(stored["x"], verbose=0))
"""


def trained_elsewhere(path: Path, x: np.ndarray, y: np.ndarray, folder: Path) -> tuple[Path, np.ndarray]:
    """One epoch by Keras alone; the file it saves, and what that gives."""
    np.savez(folder / "data.npz", x=x, y=y)
    command = [sys.executable, "-W", "ignore", "-c", ALONE, path, folder / "data.npz", folder / "trained.keras"]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    ended = subprocess.run([str(word) for word in command], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return folder / "trained.keras", np.load(folder / "data.npz.after.npy")


def test_a_keras_net_goes_out_as_onnx_comes_back_is_trained_and_built_again(tmp_path: Path):
    import keras

    layers = keras.layers
    net = keras.Sequential([
        layers.Input((12, 12, 3)), layers.Conv2D(8, 3, use_bias=False), layers.BatchNormalization(beta_initializer="random_normal"),
        layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(4, activation="softmax"),
    ])  # fmt: skip
    net.save(tmp_path / "net.keras")
    assert mexport("build", tmp_path / "net.keras", "-t", "onnx-arm64", "-o", tmp_path / "out").code == 0
    made = mexport("to-keras", tmp_path / "out/net--onnx-arm64/model.onnx", tmp_path / "again.keras", "--json")
    assert made.code == 0, made.err
    assert made.facts["path"] == str(tmp_path / "again.keras")
    assert made.facts["rel"] < 1e-4  # float32 sums in another order
    assert (made.facts["name"], made.facts["batch_norms"]) == ("model", 0)  # the built file is folded
    assert made.facts["params"] == 8 * 27 + 8 + 8 * 4 + 4
    x = np.random.default_rng(0).random((16, 12, 12, 3), np.float32)
    y = np.eye(4, dtype=np.float32)[np.arange(16) % 4]
    path, after = trained_elsewhere(tmp_path / "again.keras", x, y, tmp_path)
    built = mexport("build", path, "-t", "tflite-arm64", "-o", tmp_path / "out2", "--json")
    assert built.code == 0, built.err
    assert np.abs(after - net(x)).max() > 1e-4  # it has learnt something


@pytest.mark.parametrize(("name", "norms"), [("resnet20", 0), pytest.param("resnet56_bn", 55, marks=pytest.mark.slow)])
def test_a_net_of_the_kit(name: str, norms: int, kit: Path, tmp_path: Path):
    made = mexport("to-keras", kit / f"models/onnx/cifar10_resnet20_56/{name}.onnx", tmp_path / "r.keras", "--name", "mine", "--json")
    assert made.code == 0, made.err
    assert made.facts["name"] == "mine"
    assert made.facts["batch_norms"] == norms
    assert made.facts["rel"] < 1e-4  # float32 sums in another order
    if norms:
        return
    shape = (16, 32, 32, 3) if "nhwc" in mexport("inspect", tmp_path / "r.keras", "--json").facts["inputs"] else (16, 3, 32, 32)
    x, y = np.random.default_rng(0).standard_normal(shape).astype(np.float32), np.eye(10, dtype=np.float32)[np.arange(16) % 10]
    trained_elsewhere(tmp_path / "r.keras", x, y, tmp_path)


def test_what_keras_cannot_say_is_named(tmp_path: Path):
    ended = mexport("to-keras", classifier(tmp_path / "odd.onnx", extra_op="Erf"), tmp_path / "odd.keras")
    assert ended.code == 4
    assert "standard Keras layers cannot say 2 layers: odd0 (Erf)" in ended.err
    assert "odd1 (Erf)" in ended.err
    assert not (tmp_path / "odd.keras").exists()


def test_a_file_that_is_there_stays_unless_forced(tmp_path: Path):
    source, there = classifier(tmp_path / "net.onnx"), tmp_path / "there.keras"
    there.write_bytes(b"precious")
    refused = mexport("to-keras", source, there)
    assert refused.code == 2
    assert f"{there} is there already" in refused.err
    assert "--force" in refused.err
    assert there.read_bytes() == b"precious"
    forced = mexport("to-keras", source, there, "--force", "--outputs", "logits")
    assert forced.code == 0, forced.err
    assert there.stat().st_size > 1000
    own = mexport("to-keras", there, there, "--force")
    assert (own.code, "is the model that is read" in own.err) == (2, True)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("net.h5", "is no name for a Keras model"),
        ("folder.keras", "is a folder"),
        ("net.onnx/inside.keras", "a file stands where a folder is needed"),
    ],
)
def test_where_no_file_can_be_written(place: str, words: str, tmp_path: Path):
    source = classifier(tmp_path / "net.onnx")
    (tmp_path / "folder.keras").mkdir()
    ended = mexport("to-keras", source, tmp_path / place)
    assert ended.code in (2, 10)
    assert words in ended.err


def test_no_such_model(tmp_path: Path):
    ended = mexport("to-keras", tmp_path / "none.onnx", tmp_path / "x.keras")
    assert ended.code == 2
    assert "no such model" in ended.err
