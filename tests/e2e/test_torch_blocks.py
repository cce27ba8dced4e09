"""Blocks of well-known PyTorch nets, built in all three formats and proved against the file itself; the batch fixed at 1, and free."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import exporter as mx
from exporter.errors import SourceError
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.passes.run import clean
from exporter.sources.open import LoadOptions, open_source
from tests.sources.torch_blocks import BLOCKS, traced
from tests.sources.torch_graphs import model

TARGETS = ["ncnn-arm64", "tflite-arm64", "onnx-arm64"]
BATCH = pytest.mark.parametrize("free", [False, True], ids=["one", "free"])
MERGED = ["attention_bmm", "swin_shifted", "mobilevit"]
"""One of each way to merge the batch with other axes: heads, windows, patches."""


def read(proto: onnx.ModelProto, tmp_path: Path) -> Graph:
    onnx.save(proto, tmp_path / "m.onnx")
    with open_source(tmp_path / "m.onnx", LoadOptions()) as source:
        return source.load()


@pytest.mark.parametrize(("name", "free"), [*((name, True) for name in BLOCKS), *((name, False) for name in MERGED)])
def test_builds_in_every_format(name: str, free: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEXPORT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / f"{name}.onnx"
    onnx.save(traced(name, free=free), path)
    for outcome in mx.build_all(path, TARGETS, precision="fp32", output=str(tmp_path / "out")):
        assert outcome.error is None, outcome.error  # parity and fidelity within 1e-4 are part of every build


@BATCH
@pytest.mark.parametrize("name", BLOCKS)
def test_batch_is_in_front(name: str, free: bool, tmp_path: Path) -> None:
    """Of every value, before and after cleaning; and engines' four axes beside it are enough."""
    graph = read(traced(name, free=free), tmp_path)
    assert all(str(v.shape[0]) == "N" for n in graph.nodes for v in n.outputs if v.shape is not None)
    clean(graph)
    assert all(str(v.shape[0]) == "N" for n in graph.nodes for v in n.outputs if v.shape is not None)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_fixed_batch_changes_no_operator(name: str, tmp_path: Path) -> None:
    """So that what is built from the file with a free batch is built from the other too."""
    one, free = (read(traced(name, free=f), tmp_path) for f in (False, True))
    clean(one)
    clean(free)
    assert [n.op_type for n in one.nodes] == [n.op_type for n in free.nodes]


@pytest.mark.parametrize("name", MERGED)
def test_same_for_any_batch_as_onnxruntime(name: str, tmp_path: Path) -> None:
    """A file with a free batch, run by onnxruntime on three samples at once: its own merging of axes against ours."""
    import onnxruntime as ort

    proto = traced(name, free=True)
    graph = read(proto, tmp_path)
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0]
    x = np.random.default_rng(0).standard_normal((3, *feed.shape[1:])).astype(np.float32)
    want = session.run(None, {feed.name: x})[0]
    got = evaluate(graph, {graph.inputs[0].name: x})[graph.outputs[0].name]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)  # float32 sums in another order


def test_output_with_the_batch_elsewhere(tmp_path: Path) -> None:
    """One that lacks the axis for its one sample gets it; one that has it behind another is refused."""
    proto = model("g (float[1,6,8] x) => (float[6,8] y) { a = Relu(x) y = Reshape(a, s) }", {"s": np.array([6, 8])})
    assert [str(d) for d in read(proto, tmp_path).model.graph.outputs[0].shape or ()] == ["N", "6", "8"]
    turned = model("g (float[1,6,8] x) => (float[6,1,8] y) { y = Transpose<perm=[1,0,2]>(x) }")
    with pytest.raises(SourceError, match="y has the batch on axis 1") as caught:
        read(turned, tmp_path)
    assert "--outputs" in (caught.value.hint or "")


def test_operator_that_cannot_be_followed_is_named(tmp_path: Path) -> None:
    graph = "g (float[1,4,6] x) => (float[1,30] y) { m = Reshape(x, s) p = Gemm<transA=1>(m, w) y = Reshape(p, flat) }"
    proto = model(graph, {"s": np.array([4, 6]), "w": np.ones((4, 5), "f4"), "flat": np.array([1, -1])})
    with pytest.raises(SourceError, match=r"p \(Gemm\): it multiplies computed or transposed matrices, which works for one") as caught:
        read(proto, tmp_path)
    assert "--outputs" in (caught.value.hint or "")
