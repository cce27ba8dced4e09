"""Where files are cut, and that a cut file computes what the whole one does as far as it goes."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from exporter.cost.prefix_onnx import cut_onnx
from exporter.cost.prefix_tflite import cut_tflite
from exporter.cost.segments import Operator, segments
from exporter.runtimes.run import open_engine
from tests.command import mexport
from tests.small_models import classifier

CONV, RELU = Operator("c", "Conv"), Operator("r", "Relu")
SIZE = 12


def kinds(found):
    return [s.kind for s in found]


def test_every_operator_is_a_segment_where_that_is_not_too_many():
    found = segments([CONV, RELU, CONV])
    assert kinds(found) == ["Conv", "Relu", "Conv"]
    assert [s.end for s in found] == [1, 2, 3]
    assert [s.tensor_work for s in found] == [True, False, True]


def test_non_tensor_neighbours_go_together_first():
    add = Operator("a", "Add")
    found = segments([CONV, RELU, add, RELU, CONV], most=3)
    assert kinds(found) == ["Conv", "Relu + Add", "Conv"]
    assert [s.name for s in found] == ["c", "r + 2", "c"]
    assert [s.end for s in found] == [1, 4, 5]


def test_then_tensor_neighbours_then_any():
    found = segments([CONV] * 5, most=2)
    assert [s.end for s in found] == [2, 5]
    assert [s.name for s in found] == ["c + 1", "c + 2"]
    assert kinds(segments([CONV, RELU, CONV, CONV], most=3)) == ["Conv", "Relu", "Conv"]
    assert kinds(segments([CONV, RELU], most=1)) == ["Conv + Relu"]


def test_one_too_many_joins_one_pair():
    assert len(segments([CONV, RELU] * 33, most=64)) == 64


def test_no_cut_where_none_may_be():
    rounded = [Operator("d", "DequantizeLinear", may_cut=False), Operator("c", "Conv", may_cut=False), Operator("q", "QuantizeLinear")]
    found = segments([*rounded, *rounded])
    assert [(s.name, s.tensor_work, s.end) for s in found] == [("c + 2", True, 3), ("c + 2", True, 6)]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    model = classifier(folder / "small.onnx", size=SIZE)
    ended = mexport("build", model, "--target", "tflite-arm64", "--target", "onnx-arm64", "-o", folder / "out")
    assert ended.code == 0, ended.err
    return folder / "out"


def feeds(engine) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {i["name"]: rng.standard_normal(i["shape"]).astype(np.float32) for i in engine.facts["inputs"]}


def run(runtime: str, path: Path, tensors=None) -> dict[str, np.ndarray]:
    with open_engine(runtime, path) as engine:
        return engine.call("run", feeds(engine), tensors=tensors)[1]


def same(got: dict[str, np.ndarray], whole: dict[str, np.ndarray]) -> None:
    for name, value in got.items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-4, atol=1e-6)  # float32 sums, in another order where layers are not fused


def test_onnx_prefixes_give_the_inner_values(bundles, tmp_path):
    path = bundles / "small--onnx-arm64" / "model.onnx"
    cut = cut_onnx(path, tmp_path, 64)
    nodes = onnx.load(path).graph.node
    assert [s.end for s in cut.segments] == list(range(1, len(nodes) + 1))
    assert len(cut.paths) == len(cut.segments) + 1
    for segment, prefix in zip(cut.segments, cut.paths[1:], strict=True):
        got = run("onnxruntime", prefix)
        assert list(got) == list(nodes[segment.end - 1].output)
        same(got, run("onnxruntime", path, list(got)))
    assert list(run("onnxruntime", cut.paths[0])) == ["nothing"]


def test_onnx_prefixes_share_their_weights(bundles, tmp_path):
    path = classifier(tmp_path / "wide.onnx", width=512)
    folder = tmp_path / "cuts"
    folder.mkdir()
    cut = cut_onnx(path, folder, 64)
    assert all(p.stat().st_size < 40_000 for p in cut.paths)
    assert (folder / "weights").stat().st_size > 512 * 27 * 4


def test_no_cut_goes_through_a_rounded_layer(tmp_path):
    """x -> q -> dq -> conv (of dequantized weights) -> q -> dq -> relu: cuts only where integers pass."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,2,4,4] x) => (float[1,2,4,4] y)
        <float s = {0.1}, int8 z = {0}, int8[2,2,1,1] w = {1, 2, 3, 4}> {
            k = DequantizeLinear (w, s, z) a = QuantizeLinear (x, s, z) b = DequantizeLinear (a, s, z) c = Conv (b, k)
            d = QuantizeLinear (c, s, z) e = DequantizeLinear (d, s, z) y = Relu (e) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "rounded.onnx")
    folder = tmp_path / "cuts"
    folder.mkdir()
    cut = cut_onnx(tmp_path / "rounded.onnx", folder, 64)
    assert [s.kind for s in cut.segments] == [
        "DequantizeLinear", "QuantizeLinear", "DequantizeLinear + Conv + QuantizeLinear", "DequantizeLinear + Relu",
    ]  # fmt: skip


def test_tflite_prefixes_give_the_inner_values(bundles, tmp_path):
    path = bundles / "small--tflite-arm64" / "model.tflite"
    cut = cut_tflite(path, 64)
    assert len(cut.patches) == len(cut.segments) + 1
    for end, patches in enumerate(cut.patches):
        content = bytearray(path.read_bytes() + cut.tail)
        for place, part in patches:
            content[place : place + len(part)] = part
        prefix = tmp_path / f"{end}.tflite"
        prefix.write_bytes(content)
        got = run("litert", prefix)
        if end:
            assert list(got) == [cut.segments[end - 1].name]
            same(got, run("litert", path, list(got)))
