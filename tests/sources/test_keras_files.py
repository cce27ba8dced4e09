"""Files: read by who wrote them, refused by name, damaged, with custom code."""

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from exporter.child import Child
from exporter.errors import DiskError, SourceError, UsageError
from exporter.graph import shape_of
from exporter.graph.evaluate import evaluate
from exporter.graph.files import load_graph
from exporter.sources.keras import Session
from exporter.sources.keras.loading import _mapped_datasets, load_stored
from exporter.sources.keras.stored import read_stored
from exporter.sources.options import LoadOptions

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),  # both frameworks advise against HDF5 when they write it
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3 on numpy 2, when it saves
]

KIT_FILES = (
    "keras/cifar10_cnn_sudo/cifar10_model.keras",
    "keras/gender_mini_xception/gender_mini_XCEPTION.21-0.95.hdf5",
    "keras/imagenet_mobilenet_v1_0.25_224/mobilenet_v1_0.25_224.h5",
    "keras/mlperf_ad01_autoencoder/ad01.h5",
    "keras/mlperf_resnet8_cifar10/pretrainedResnet.h5",
    "keras/mlperf_vww96/vww_96.h5",
    "keras/mnist_cnn_moonflower/mnist_model.h5",
    "keras/mnist_cnn_moonflower/mnist_model.keras",
    "keras/mnist_mlp_sann/mnist_model.keras",
    "keras/st_flowers_fdmobilenet_0.25_128/fdmobilenet_0.25_128.h5",
    "keras/st_flowers_mobilenet_v2_0.35_128/mobilenet_v2_0.35_128.h5",
    "keras/teachable_machine_flowers5/flower_model.h5",
    "onnx/mnist_cnn_nharish/mnist.h5",
)


def small(framework: Any) -> Any:
    """A net with the layers whose stored form differs most between Keras versions."""
    L = framework.layers
    x = framework.Input((8, 8, 3), name="photo")
    y = L.BatchNormalization()(L.DepthwiseConv2D(3)(x))
    return framework.Model(x, L.Dense(3, name="logits")(L.Flatten()(L.ReLU(6.0)(y))))


def options(**given: Any) -> dict[str, Any]:
    return LoadOptions(**given).to_json()


def compare(session: Session, folder: Path) -> float:
    """Largest rel over the outputs, 3 samples."""
    session.load(str(folder))
    graph = load_graph(folder)
    inputs = dict(zip([p.name for p in graph.inputs], graph.model.graph.inputs, strict=True))
    random = np.random.default_rng(0)
    dims = {p.source_name: [shape_of(inputs[p.name])[p.perm.index(a)] for a in range(1, len(p.perm))] for p in graph.inputs}
    arrays = {name: random.normal(size=(3, *d)).astype(np.float32) for name, d in dims.items()}
    _, wanted = session.reference(arrays)
    found = evaluate(graph, {p.name: p.to_graph(arrays[p.source_name]) for p in graph.inputs})
    pairs = [(p.to_source(found[p.name]), wanted[p.source_name]) for p in graph.outputs]
    return max(float(np.abs(got - want).max() / np.abs(want).max()) for got, want in pairs)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("framework", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_file_is_read_by_who_wrote_it(framework: Any, suffix: str, tmp_path: Path) -> None:
    small(framework).save(tmp_path / f"m{suffix}")
    session = Session(str(tmp_path / f"m{suffix}"))
    assert session.facts["framework"] == framework.__name__
    assert (session.facts["inputs"], session.facts["outputs"]) == (["photo"], ["logits"])
    assert compare(session, tmp_path) <= 1e-5  # float32 sums in another order


def test_suffix_does_not_matter(tmp_path: Path) -> None:
    small(keras).save(tmp_path / "m.keras")
    (tmp_path / "m.keras").rename(tmp_path / "m.bin")
    assert compare(Session(str(tmp_path / "m.bin")), tmp_path) <= 1e-5


@pytest.mark.parametrize("file", KIT_FILES)
def test_kit_file(kit: Path, file: str, tmp_path: Path) -> None:
    assert compare(Session(str(kit / "models" / file)), tmp_path) <= 2e-5  # up to 60 layers of float32 sums


def test_in_a_child_process(tmp_path: Path) -> None:
    small(keras).save(tmp_path / "m.keras")
    with Child("sources.keras", {"path": str(tmp_path / "m.keras"), "options": options()}, what="keras", error=SourceError) as child:
        child.call("load", folder=str(tmp_path))
        _, outputs = child.call("reference", {"photo": np.zeros((20, 8, 8, 3), np.float32)})
    assert outputs["logits"].shape == (20, 3)
    assert load_graph(tmp_path).name == "m"


def _h5_with_lambda(path: Path, *, nested: bool) -> None:
    L = tf_keras.layers
    inner = tf_keras.Sequential([L.Input((4,)), L.Lambda(lambda x: x * 2, name="double"), L.Dense(2)])
    model = tf_keras.Sequential([L.Input((4,)), inner]) if nested else inner
    model.save(path)


@pytest.mark.parametrize("nested", [False, True])
def test_lambda_is_refused_before_it_runs(nested: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _h5_with_lambda(tmp_path / "m.h5", nested=nested)
    monkeypatch.setattr(tf_keras.models, "load_model", lambda *a, **k: pytest.fail("the framework opened the file"))
    with pytest.raises(SourceError, match="Lambda layer double") as caught:
        Session(str(tmp_path / "m.h5"))
    assert "--trust" in str(caught.value.hint)


CUSTOM = """
import keras

class Scale(keras.layers.Layer):
    def __init__(self, by=2.0, **kwargs):
        super().__init__(**kwargs)
        self.by, self.inner = by, keras.layers.Dense(3, name="inner")
    def build(self, shape):
        self.inner.build(shape)
        self.built = True
    def call(self, x):
        return keras.ops.relu(self.inner(x)) * self.by
    def get_config(self):
        return {**super().get_config(), "by": self.by}

class Net(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.last = keras.layers.Dense(5, activation="relu"), Scale(3.0)
    def call(self, x):
        return self.last(self.first(x))
"""


@pytest.fixture
def custom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "my_layers.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("my_layers", None)
    import my_layers

    yield my_layers
    sys.modules.pop("my_layers", None)


def test_custom_layer(custom: Any, tmp_path: Path) -> None:
    x = keras.Input((4,))
    keras.Model(x, custom.Scale(name="scaled")(x)).save(tmp_path / "m.keras")
    with pytest.raises(SourceError, match=r"scaled .*Scale") as caught:
        Session(str(tmp_path / "m.keras"))
    assert "--custom-objects" in str(caught.value.hint)
    with pytest.raises(UsageError, match="runs that module's code"):
        Session(str(tmp_path / "m.keras"), options(custom_objects="my_layers"))
    assert compare(Session(str(tmp_path / "m.keras"), options(custom_objects="my_layers", trust=True)), tmp_path) <= 1e-5


def test_subclassed_model(custom: Any, tmp_path: Path) -> None:
    net = custom.Net(name="net")
    net(np.zeros((1, 4), np.float32))
    net.save(tmp_path / "m.keras")
    with pytest.raises(SourceError, match="Net"):
        Session(str(tmp_path / "m.keras"))
    assert compare(Session(str(tmp_path / "m.keras"), options(custom_objects="my_layers", trust=True)), tmp_path) <= 1e-5


def test_trusted_lambda(tmp_path: Path) -> None:
    _h5_with_lambda(tmp_path / "m.h5", nested=True)
    assert compare(Session(str(tmp_path / "m.h5"), options(trust=True)), tmp_path) <= 1e-5


def _html(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>Sign in</body></html>")


def _pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def _cut_h5(path: Path) -> None:
    small(tf_keras).save(path.with_suffix(".h5"))
    data = path.with_suffix(".h5").read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _cut_zip(path: Path) -> None:
    small(keras).save(path.with_suffix(".keras"))
    data = path.with_suffix(".keras").read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _no_config(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no model")


def _bad_json(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": ')


def _no_weights(path: Path) -> None:
    small(keras).save(path.with_suffix(".keras"))
    with zipfile.ZipFile(path.with_suffix(".keras")) as old, zipfile.ZipFile(path, "w") as new:
        new.writestr("config.json", old.read("config.json"))
        new.writestr("metadata.json", old.read("metadata.json"))


def _weights_only(path: Path) -> None:
    small(keras).save_weights(path.parent / "w.weights.h5")
    shutil.move(path.parent / "w.weights.h5", path)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("make", [_html, _pointer, _cut_h5, _cut_zip, _no_config, _bad_json, _no_weights, _weights_only, _empty])
def test_damaged_file(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "m.model")
    with pytest.raises(SourceError) as caught:
        Session(str(tmp_path / "m.model"))
    assert caught.value.hint


def test_foreign_function_in_config_is_refused(tmp_path: Path) -> None:
    """A config may name any module of Python; none is imported for it."""
    small(tf_keras).save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"]["depthwise_initializer"] = {"class_name": "system", "module": "os", "config": "x"}
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(SourceError, match=r"os\.system"):
        Session(str(tmp_path / "m.h5"))


@pytest.mark.parametrize("mapped", [0, 1 << 30])
def test_a_big_file_gives_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: int) -> None:
    rng = np.random.default_rng(0)
    model = keras.Sequential([
        keras.Input((6, 6, 3)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.Flatten(),
        keras.layers.Dense(5, kernel_initializer=keras.initializers.Orthogonal()),
    ])  # fmt: skip
    model.set_weights([rng.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    model.compile("adam", "mse")
    model.save(tmp_path / "net.keras")
    stored = read_stored(tmp_path / "net.keras")
    whole = load_stored(stored)
    monkeypatch.setattr("exporter.sources.keras.loading.BIG_BYTES", 0)
    monkeypatch.setattr("exporter.sources.keras.loading.MAPPED_BYTES", mapped)
    read = h5py.Dataset.__array__
    big = load_stored(stored)
    assert [w.path for w in big.weights] == [w.path for w in whole.weights]
    for one, other in zip(big.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert h5py.Dataset.__array__ is read


def test_datasets_in_chunks_are_read_not_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.sources.keras.loading.MAPPED_BYTES", 0)
    numbers = np.arange(12, dtype=np.float32).reshape(3, 4)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["whole"] = numbers
        file.create_dataset("chunks", data=numbers, chunks=(2, 2), compression="gzip")
    with h5py.File(tmp_path / "w.h5") as file, _mapped_datasets():
        assert isinstance(file["whole"].__array__(), np.memmap)
        for name in file:
            np.testing.assert_array_equal(np.asarray(file[name]), numbers)
            np.testing.assert_array_equal(np.asarray(file[name], np.float64), numbers)


def test_a_graph_that_the_disk_has_no_room_for(small_disk: Path) -> None:
    model = keras.Sequential([keras.Input((512,)), keras.layers.Dense(1024)])
    model.save(small_disk.parent / "wide.keras")
    setup = {"path": str(small_disk.parent / "wide.keras")}
    with Child("sources.keras", setup, what="wide.keras") as child, pytest.raises(DiskError, match="the disk is full"):
        child.call("load", folder=str(small_disk))
