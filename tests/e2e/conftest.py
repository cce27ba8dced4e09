"""Small nets and data for int8, shared by the tests of whole builds."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from exporter.sample import pictures_path
from tests.e2e.compress_inputs import RECIPE


@pytest.fixture(scope="session")
def few(tmp_path_factory):
    """Six of the sample's pictures a class."""
    folder = tmp_path_factory.mktemp("few")
    for group in pictures_path().iterdir():
        (folder / group.name).mkdir()
        for picture in sorted(group.iterdir())[:6]:
            shutil.copy(picture, folder / group.name)
    return folder


@pytest.fixture(scope="session")
def sample_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's own pictures, twice over, as an .npz."""
    folders = sorted(f for f in pictures_path().iterdir() if f.is_dir())
    found = [(np.asarray(Image.open(p)), i) for i, folder in enumerate(folders) for p in sorted(folder.iterdir())]
    path = tmp_path_factory.mktemp("data") / "train.npz"
    np.savez(path, x=np.stack([x for x, _ in found] * 2), y=np.array([y for _, y in found] * 2))
    return path


@pytest.fixture(scope="session")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe file: half the MACs, two epochs."""
    path = tmp_path_factory.mktemp("recipe") / "half.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def nets(tmp_path_factory):
    """Two small nets, and data for both. `collapsing`: its first hidden channel is a thousand times the others and read by nobody, so
    that one scale for all drowns the rest; `healthy`: the same without that."""
    place, rng = tmp_path_factory.mktemp("nets"), np.random.default_rng(0)
    first, second = rng.standard_normal((16, 8)).astype(np.float32), rng.standard_normal((8, 4)).astype(np.float32)
    second[0] = 0
    x = rng.standard_normal((120, 16)).astype(np.float32)
    labels = np.argmax(np.maximum(x @ first, 0) @ second, axis=1)
    np.savez(place / "data.npz", x=x)
    np.savez(place / "few.npz", x=x[:5])
    np.savez(place / "labelled.npz", x=x, y=labels)
    for name, scale in (("healthy", 1), ("collapsing", 1000)):
        onnx.save(two_layers(first * np.float32([scale] + 7 * [1]), second), place / f"{name}.onnx")
    return place


def two_layers(first, second):
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["hidden"]), helper.make_node("Relu", ["hidden"], ["positive"]),
        helper.make_node("MatMul", ["positive", "second"], ["y"]),
    ]  # fmt: skip
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", d]) for n, d in (("x", 16), ("y", 4))]
    tensors = [numpy_helper.from_array(first, "first"), numpy_helper.from_array(second, "second")]
    graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
