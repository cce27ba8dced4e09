"""The one door: kinds by content, names, hashes, the reference in a child process."""

import importlib.metadata
import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from exporter.errors import UsageError
from exporter.sources.open import LoadOptions, open_source
from tests.sources.torch_graphs import W, model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my net (1).bin"  # neither name nor suffix matter
    onnx.save(model("g (float[2,3] x) => (float[2,4] y) { y = MatMul(x,w) }", {"w": W(3, 4)}), path)
    return path


def test_source(file: Path) -> None:
    with open_source(file) as source:
        assert (source.info.format, source.info.framework) == ("onnx", "onnxruntime")
        assert len(source.info.sha256) == 64
        assert source.name == "my_net_1"
        assert source.load().name == "my_net_1"
        x = np.arange(15, dtype=np.float32).reshape(5, 3)  # five samples through a file made for two
        y = source.reference({"x": x})["y"]
        assert y.shape == (5, 4)
        assert np.allclose(y[4:], source.reference({"x": x[4:]})["y"], rtol=0, atol=1e-5)  # the same sums
        with pytest.raises(UsageError, match="unknown input"):
            source.reference({"z": x})
    source.close()


def test_name_given(file: Path) -> None:
    with open_source(file, LoadOptions(name="Net")) as source:
        assert source.load().name == "Net"


def test_options_survive_json() -> None:
    options = LoadOptions({None: (1, 3, 8, 8), "a": (1, 2)}, ("i",), ("o", "p"), True, "pkg.module", "n")
    assert LoadOptions.from_json(options.to_json()) == options


@pytest.mark.parametrize(("version", "framework"), [("2.15.0", "tf_keras"), ("3.5.0", "keras")])
def test_framework_of_a_keras_file(version: str, framework: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {}}))
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
    info = open_source(tmp_path / "m.keras").info
    assert (info.format, info.framework) == ("keras", framework)
    assert info.version == importlib.metadata.version(framework.replace("_", "-"))
