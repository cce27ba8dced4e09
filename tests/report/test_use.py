"""USE.md: its Python is run as it stands, in each engine, and must give what the engine gives for our own preprocessing."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from exporter.data import InputSpec, open_data
from exporter.formats import Artifact, Tensor, WriteOptions, load_writer
from exporter.preprocessing import Preprocessing
from exporter.report import usage
from tests.graphs import graph_from_text
from tests.manifests import manifest_for, plain_artifact

PREPS = [
    Preprocessing((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), "bgr"),
    Preprocessing((127.5,), (127.5,), "rgb", "crop:0.875"),
    Preprocessing((0,), (255,), "gray", "letterbox"),
]


def blocks(text: str) -> dict[str, str]:
    return dict(re.findall(r"```(python|kotlin|cpp)\n(.*?)\n```", text, re.DOTALL))


def whole(facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts, "files": [{"path": name, "sha256": "0" * 64, "bytes": 1} for name in facts["artifact"]["files"]]}


def draw(folder: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)).save(folder / "picture.jpg", format="PNG")


def relu(folder: Path, channels: int, target: str) -> tuple[Artifact, str]:
    """A model whose output is its input, negative values cut off, written for a target."""
    graph = graph_from_text(f"g (float[N,{channels},16,12] images) => (float[N,{channels},16,12] scores) {{ scores = Relu (images) }}")
    name = target.split("-", maxsplit=1)[0]
    artifact = load_writer(name).write(graph, folder, WriteOptions())
    return artifact, {"ncnn": "chw", "tflite": "nhwc", "onnx": "nchw"}[name]


@pytest.mark.parametrize("prep", PREPS, ids=lambda p: p.color)
@pytest.mark.parametrize("target", ["ncnn-arm64", "tflite-arm64", "onnx-arm64"])
def test_python_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, prep: Preprocessing) -> None:
    draw(tmp_path)
    artifact, layout = relu(tmp_path, prep.channels, target)
    if artifact.inputs[0].perm == (0, 2, 3, 1):
        layout = "nhwc"
    facts = whole(manifest_for(artifact, layout, prep, target))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(blocks(usage(facts))["python"], "USE.md", "exec"), names)
    data = open_data(tmp_path, [InputSpec("images", (prep.channels, 16, 12), "nchw")], {"images": prep})
    pixels = next(data.batches(1))[0]["images"]
    wanted = np.maximum(pixels, 0)
    got = artifact.outputs[0].to_graph(np.asarray(names["y0"]), wanted.shape)
    assert np.allclose(got, wanted, atol=1e-5)  # the engine only copies: float32 rounding of the normalization


def test_ncnn_numbers(tmp_path: Path) -> None:
    facts = whole(manifest_for(plain_artifact(tmp_path), "chw", Preprocessing((1, 2, 3), (2, 4, 8)), "ncnn-arm64"))
    cpp = blocks(usage(facts))["cpp"]
    for line in ("PIXEL_RGB, width, height, 6, 8)", "mean0[3] = {1, 2, 3};", "norm0[3] = {0.5, 0.25, 0.125};",
                 "x0.substract_mean_normalize(mean0, norm0);", 'ex.input("in0", x0);', 'ex.extract("out0", y0);'):  # fmt: skip
        assert line in cpp
    kotlin = blocks(usage(facts))["kotlin"]
    assert "from_android_bitmap_resize(env, bitmap, ncnn::Mat::PIXEL_RGB, 6, 8)" in kotlin


def test_one_number_is_spread_over_the_channels(tmp_path: Path) -> None:
    facts = whole(manifest_for(plain_artifact(tmp_path), "chw", Preprocessing((127.5,), (127.5,), "bgr"), "ncnn-arm64"))
    cpp = blocks(usage(facts))["cpp"]
    assert "mean0[3] = {127.5, 127.5, 127.5};" in cpp
    assert "PIXEL_RGB2BGR" in cpp


def test_inputs_that_are_no_pictures(tmp_path: Path) -> None:
    files = (tmp_path / "model.onnx",)
    inputs, outputs = (Tensor("x:0", "x", (1, 490), (0, 1)),), (Tensor("y:0", "y", (1, 12), (0, 1)),)
    artifact = Artifact("onnx", files[0], files, "fp32", inputs, outputs, {})
    facts = whole(manifest_for(artifact, "plain", Preprocessing((83,), (2,)), "onnx-arm64"))
    found = blocks(usage(facts))
    assert "x0 = np.zeros((1, 490), np.float32)" in found["python"]
    assert "(x0 - np.float32([83])) / np.float32([2])" in found["python"]
    assert "longArrayOf(1, 490)" in found["kotlin"]
    assert '"x:0"' in found["cpp"]
    assert sorted(found) == ["cpp", "kotlin", "python"]


def test_assumed_preprocessing_is_told(tmp_path: Path) -> None:
    facts = whole(manifest_for(plain_artifact(tmp_path), "chw", Preprocessing(assumed=True), "ncnn-arm64"))
    assert "This is assumed" in usage(facts)


def test_several_inputs_and_quantized_ones(tmp_path: Path) -> None:
    files = (tmp_path / "model.tflite",)
    inputs = (Tensor("a", "a", (1, 8, 8, 3), (0, 2, 3, 1), "int8"), Tensor("b", "b", (1, 4), (0, 1)))
    artifact = Artifact("tflite", files[0], files, "int8", inputs, (Tensor("y", "y", (1, 2), (0, 1)),), {})
    facts = manifest_for(artifact, "nhwc", Preprocessing((0,), (255,)), "tflite-arm64")
    second = {**facts["inputs"][0], "source_name": "extra", "name": "b", "shape": [1, 4], "dtype": "float32", "layout": "plain"}
    facts["inputs"] = [{**facts["inputs"][0], "scale": 0.5, "zero_point": -3, "dtype": "int8"}, second]
    found = blocks(usage(whole(facts)))
    assert "x0 = np.clip(np.round(x0 / 0.5) + -3, np.iinfo(np.int8).min, np.iinfo(np.int8).max).astype(np.int8)" in found["python"]
    assert 'interpreter.set_tensor(index["b"], x1)' in found["python"]
    assert "arrayOfNulls<Any>(2)" in found["kotlin"]
    compile(found["python"], "USE.md", "exec")
