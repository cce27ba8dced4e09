import time
import zipfile
from pathlib import Path

import pytest

import exporter as mx
from exporter.building.ahead import open_ahead
from exporter.errors import SourceError
from exporter.sample import model_path
from exporter.sources.open import LoadOptions


@pytest.fixture
def cached(tmp_path, monkeypatch):
    monkeypatch.setenv("MEXPORT_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("slow_bytes", [0, 1 << 30])
def test_a_framework_runs_only_for_what_the_store_lacks(tmp_path, monkeypatch, slow_bytes):
    monkeypatch.setattr("exporter.building.ahead.SLOW_TO_HASH_BYTES", slow_bytes)
    with open_ahead(model_path(), LoadOptions()) as source:
        assert source._child is not None
        mx.build(source, "onnx-arm64", output=tmp_path / "out")
    with open_ahead(model_path(), LoadOptions()) as source:
        assert source._child is None
        assert mx.build(source, "onnx-arm64", output=tmp_path / "out").up_to_date


@pytest.mark.usefixtures("cached")
def test_what_the_framework_says_is_raised_when_it_is_asked(tmp_path):
    path = tmp_path / "torn.keras"
    with zipfile.ZipFile(model_path()) as whole, zipfile.ZipFile(path, "w") as torn:
        for name in ("config.json", "metadata.json"):
            torn.writestr(name, whole.read(name))
        torn.writestr("model.weights.h5", whole.read("model.weights.h5")[:4000])
    with open_ahead(path, LoadOptions()) as source, pytest.raises(SourceError, match=r"torn\.keras"):
        source.load()


@pytest.mark.usefixtures("cached")
def test_an_onnx_file_starts_nothing(tmp_path):
    with open_ahead(model_path(), LoadOptions()) as keras:
        onnx = mx.build(keras, "onnx-arm64", output=tmp_path / "out").path / "model.onnx"
    with open_ahead(onnx, LoadOptions()) as source:
        assert source._child is None


@pytest.mark.usefixtures("cached")
def test_what_a_framework_unpacks_goes_with_it(tmp_path):
    """A build that ends early, by a wrong flag say, kills the framework while it unpacks a big archive."""
    with open_ahead(model_path(), LoadOptions()) as source:
        child = source._child
        environ, ends = Path(f"/proc/{child.worker.process.pid}/environ"), time.monotonic() + 10
        while f"TMPDIR={child.folder}" not in environ.read_bytes().decode().split("\0"):  # empty until the program is there
            assert time.monotonic() < ends
            time.sleep(0.01)
    assert not child.folder.exists()
