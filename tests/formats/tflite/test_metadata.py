"""Labels and normalization inside the file."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from exporter.formats import tflite
from exporter.formats.artifact import Artifact, WriteOptions
from exporter.formats.tflite.metadata import Normalization, add_metadata
from exporter.graph import Graph
from tests.formats.tflite.running import worst_rel
from tests.graphs import graph_from_text

LABELS = ("cat", "dog", "Bär")
NORM = {"x": Normalization((123.5, 116.25, 103.5), (58.0, 57.0, 57.5))}


@pytest.fixture
def net() -> Graph:
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(4, 3, 3, 3)), "z": np.array([0, 144]), "u": rng.normal(size=(3, 144))}
    return graph_from_text(
        "g (float[N,3,8,8] x) => (float[N,k] y) { a = Conv (x, w) f = Reshape (a, z) y = Gemm <transB=1> (f, u) }", arrays
    )


@pytest.fixture
def artifact(net: Graph, tmp_path: Path) -> Artifact:
    return tflite.write(net, tmp_path, WriteOptions())


def _metadata(path: Path) -> bytes:
    model = schema.Model.GetRootAs(path.read_bytes())
    assert model.MetadataLength() == 1
    assert model.Metadata(0).Name() == b"TFLITE_METADATA"
    return model.Buffers(model.Metadata(0).Buffer()).DataAsNumpy().tobytes()


def test_the_file_still_runs(net: Graph, artifact: Artifact) -> None:
    from exporter.runtimes.litert import Session

    add_metadata(artifact, LABELS, NORM)
    assert worst_rel(net, artifact, Session(str(artifact.path), 1, {})) <= 2e-5  # float32 rounding


def test_labels_are_an_associated_file(artifact: Artifact) -> None:
    add_metadata(artifact, LABELS, NORM)
    with zipfile.ZipFile(artifact.path) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.read("labels.txt").decode().split() == list(LABELS)


def test_the_tables_hold_names_and_numbers(artifact: Artifact) -> None:
    """Field numbers are checked against the published schema by hand: name 0, content 3, units 4, files 6."""
    add_metadata(artifact, LABELS, NORM)
    content = _metadata(artifact.path)
    assert content[4:8] == b"M001"
    for wanted in (b"labels.txt", b"model", np.float32(NORM["x"].mean).tobytes(), np.float32(NORM["x"].std).tobytes()):
        assert wanted in content


def test_without_labels_there_is_no_archive(artifact: Artifact) -> None:
    add_metadata(artifact, None, NORM)
    assert not zipfile.is_zipfile(artifact.path)
    assert b"labels.txt" not in _metadata(artifact.path)


def test_same_bytes_twice(net: Graph, artifact: Artifact, tmp_path: Path) -> None:
    add_metadata(artifact, LABELS, NORM)
    (tmp_path / "again").mkdir()
    again = tflite.write(net, tmp_path / "again", WriteOptions())
    add_metadata(again, LABELS, NORM)
    assert artifact.path.read_bytes() == again.path.read_bytes()


def test_a_second_time_is_refused(artifact: Artifact) -> None:
    add_metadata(artifact, LABELS, NORM)
    with pytest.raises(ValueError, match="no room for metadata"):
        add_metadata(artifact, LABELS, NORM)
