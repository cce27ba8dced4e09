"""What a written file is like: layout, fusion, precision, bytes, refusals."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exporter.errors import UnsupportedOpError, UsageError
from exporter.formats import load_writer, tflite
from exporter.formats.artifact import WriteOptions
from exporter.graph import Graph, Port
from exporter.graph.evaluate import evaluate
from exporter.runtimes.litert import Session
from tests.formats.tflite.cases import CASES
from tests.formats.tflite.running import kinds, worst_rel, written
from tests.graphs import graph_from_text, random_inputs

FREE = (
    "flatten gemm", "flatten relu gemm", "flatten twice, concat, gemm", "flatten, two dense", "ssd head", "squeeze excite",
    "mean and squeeze", "conv1d net", "residual of conv1d", "split", "attention", "depth to space crd", "transpose out",
    "conv, depth to space crd", "global max 1d",
)  # fmt: skip


@pytest.mark.parametrize("name", FREE)
def test_no_transpose_where_none_is_needed(name: str, tmp_path: Path) -> None:
    graph = graph_from_text(*CASES[name])
    graph = _with_channels_last_ports(graph) if name in {"conv1d net", "residual of conv1d"} else graph
    artifact, session = written(graph, tmp_path)
    assert "TRANSPOSE" not in kinds(session)
    assert worst_rel(graph, artifact, session) <= 2e-5  # float32 rounding


def _with_channels_last_ports(graph: Graph) -> Graph:
    graph.outputs = tuple(Port(p.source_name, p.name, (0, 2, 1) if len(p.perm) == 3 else p.perm) for p in graph.outputs)
    return graph


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv bn relu6", {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1}),
        ("scale and shift", {"DEPTHWISE_CONV_2D": 1}),
        ("conv read twice", {"CONV_2D": 1, "RELU": 1, "ADD": 1}),
        ("relu through concat", {"CONV_2D": 2, "LOGISTIC": 1, "CONCATENATION": 1}),
        ("pool after relu", {"CONV_2D": 1, "PAD": 1, "MAX_POOL_2D": 1}),
        ("mean and squeeze", {"MEAN": 1, "FULLY_CONNECTED": 1}),
        ("matmul weights bias relu", {"RESHAPE": 1, "TRANSPOSE": 1, "FULLY_CONNECTED": 1}),
        ("channel shuffle", {"RESHAPE": 2, "TRANSPOSE": 1}),
        ("torch shuffle", {"RESHAPE": 2, "TRANSPOSE": 1}),
        ("conv, depth to space crd", {"CONV_2D": 1, "DEPTH_TO_SPACE": 1}),
        ("HardSigmoid sixth", {"ADD": 1, "MUL": 1}),
        ("conv, hard sigmoid", {"CONV_2D": 1, "MUL": 1}),
        ("dense, hard sigmoid", {"FULLY_CONNECTED": 1, "MUL": 1}),
        ("conv1d net", {"RESHAPE": 1, "CONV_2D": 2, "MAX_POOL_2D": 1, "MEAN": 1, "FULLY_CONNECTED": 1}),
        ("transposed conv k4 s2 p1", {"TRANSPOSE_CONV": 1}),
        ("transposed conv k3 s2 keras same", {"TRANSPOSE_CONV": 1}),
        ("transposed conv k3 s2 p1 op1", {"TRANSPOSE_CONV": 1, "SLICE": 1}),
    ],
)
def test_ops_written(name: str, expected: dict[str, int], tmp_path: Path) -> None:
    _, session = written(graph_from_text(*CASES[name]), tmp_path)
    assert kinds(session) == expected


def test_pictures_are_nhwc_under_the_sources_names(tmp_path: Path) -> None:
    graph = graph_from_text(*CASES["conv k3 s2 p1,1,1,1 d1"])
    graph.inputs = (Port("image:0", "x", (0, 3, 1, 2)),)
    graph.outputs = (Port("heat map", "y", (0, 3, 1, 2)),)
    artifact, session = written(graph, tmp_path)
    assert [(d["name"], d["shape"]) for d in session.facts["inputs"]] == [("image:0", [1, 9, 10, 6])]
    assert [(d["name"], d["shape"]) for d in session.facts["outputs"]] == [("heat map", [1, 5, 5, 8])]
    assert (artifact.inputs[0].perm, artifact.outputs[0].perm) == ((0, 2, 3, 1), (0, 2, 3, 1))


def test_input_that_the_source_transposes_itself_keeps_its_order(tmp_path: Path) -> None:
    graph = graph_from_text("g (float[N,4,5,6] x) => (float[N,a,b,c] y) { t = Transpose <perm=[0,3,1,2]> (x) y = Conv (t, w) }",
                            {"w": np.ones((2, 6, 1, 1))})  # fmt: skip
    artifact, session = written(graph, tmp_path)
    assert artifact.inputs[0].shape == (1, 4, 5, 6)
    assert kinds(session) == {"CONV_2D": 1}


def test_taps_hold_the_graphs_values(tmp_path: Path) -> None:
    graph = graph_from_text(*CASES["yolo v8 tail"])
    artifact, session = written(graph, tmp_path)
    inputs = random_inputs(graph)
    reference = evaluate(graph, inputs, list(artifact.taps))
    assert len(artifact.taps) >= 8
    _, got = session.run({t.name: t.from_graph(inputs[t.graph_name]) for t in artifact.inputs}, [t.name for t in artifact.taps.values()])
    for name, tensor in artifact.taps.items():
        np.testing.assert_allclose(tensor.to_graph(got[tensor.name], reference[name].shape), reference[name], rtol=1e-4, atol=1e-5)


def test_fused_values_are_no_taps(tmp_path: Path) -> None:
    artifact, _ = written(graph_from_text(*CASES["relu through concat"]), tmp_path)
    assert set(artifact.taps) == {"c", "y"}


def test_fp16_stores_half_the_bytes_and_stays_on_the_fast_path(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    graph = graph_from_text(
        "g (float[N,16,8,8] x) => (float[N,k] y) { a = Conv (x, w, b) r = Relu (a) f = Reshape (r, z) y = Gemm <transB=1> (f, u) }",
        {"w": rng.normal(size=(32, 16, 3, 3)), "b": rng.normal(size=32), "z": np.array([0, 1152]), "u": rng.normal(size=(10, 1152))},
    )
    (tmp_path / "half").mkdir()
    full, _ = written(graph, tmp_path)
    half, session = written(graph, tmp_path / "half", "fp16")
    assert half.path.stat().st_size < 0.6 * full.path.stat().st_size
    assert session.facts["delegated"] == 1
    assert worst_rel(graph, half, session) <= 2e-3  # 11 bits of mantissa


@pytest.mark.parametrize("value", [1e5, 1e-5])
def test_fp16_keeps_weights_that_its_range_does_not_fit(value: float, tmp_path: Path) -> None:
    graph = graph_from_text(
        "g (float[N,64] x) => (float[N,k] y) { a = Gemm <transB=1> (x, w) y = Gemm <transB=1> (a, v) }",
        {"w": np.full((32, 64), value), "v": np.full((32, 32), 0.25)},
    )
    artifact, session = written(graph, tmp_path, "fp16")
    assert kinds(session) == {"FULLY_CONNECTED": 2, "DEQUANTIZE": 1}
    assert worst_rel(graph, artifact, session) <= 2e-5  # float32 rounding


def test_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fp61"):
        tflite.write(graph_from_text(*CASES["Relu"]), tmp_path, WriteOptions(precision="fp61"))


def test_unknown_shapes_are_named_once(tmp_path: Path) -> None:
    graph = graph_from_text(
        "g (float[N,6] x) => (float[N,k] y) { a = Reshape (x, z) b = Relu (a) y = Sigmoid (b) }", {"z": np.array([0, 6])}
    )
    for node in graph.nodes:
        node.outputs[0].shape = None
    assert [(p.layer, p.op) for p in tflite.check(graph)] == [("a", "Reshape")]


_UNSUPPORTED = (
    "g (float[N,6,8,8] x) => (float[N,a,b,c] y) { a = Mod <fmod=1> (x, x) b = MaxPool <kernel_shape=[2,2], dilations=[2,2]> (a) "
    'c = Relu (b) y = Resize <mode="cubic"> (c, , k) }'
)


def test_all_unsupported_layers_are_named_at_once(tmp_path: Path) -> None:
    graph = graph_from_text(_UNSUPPORTED, {"k": np.float32([1, 1, 2, 2])})
    assert [(p.op, p.fatal) for p in tflite.check(graph)] == [("Mod", True), ("MaxPool", True), ("Resize", True)]
    with pytest.raises(UnsupportedOpError, match=r"3 layers.*Mod.*MaxPool.*dilation.*Resize.*cubic"):
        load_writer("tflite").write(graph, tmp_path, WriteOptions())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", CASES)
def test_check_names_the_ops_off_the_fast_path(name: str, tmp_path: Path) -> None:
    """The table of what XNNPACK takes is the engine's own: a file without a slow layer is delegated whole."""
    graph = graph_from_text(*CASES[name])
    slow = tflite.check(graph)
    _, session = written(graph, tmp_path)
    assert not any(p.fatal for p in slow)
    assert (session.facts["delegated"] == 1) == (not slow), [p.reason for p in slow]


def test_weights_are_aligned(tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    artifact, _ = written(graph_from_text(*CASES["gemm chain"]), tmp_path)
    model = schema.Model.GetRootAs(artifact.path.read_bytes())
    tables = [model.Buffers(i)._tab for i in range(1, model.BuffersLength())]
    places = [table.Vector(table.Offset(4)) for table in tables]
    assert len(places) == 5  # two weights, two biases, room for metadata
    assert all(place % 16 == 0 for place in places)


_WRITE_ALL = """
import hashlib, sys, tempfile, pathlib
from tests.formats.tflite.cases import CASES
from tests.formats.tflite.running import quantized
from tests.graphs import graph_from_text
from exporter.errors import UnsupportedOpError
from exporter.formats import tflite
from exporter.formats.artifact import WriteOptions
digest = hashlib.sha256()
for name in list(CASES)[::3]:
    for precision in tflite.PRECISIONS:
        with tempfile.TemporaryDirectory() as folder:
            graph = graph_from_text(*CASES[name])
            graph = quantized(graph) if precision == "mixed" else graph
            try:
                tflite.write(graph, pathlib.Path(folder), WriteOptions(precision=precision))
            except (UnsupportedOpError, ValueError):  # nothing to store in int4; int8 without pairs
                continue
            digest.update(pathlib.Path(folder, "model.tflite").read_bytes())
print(digest.hexdigest())
"""


def test_same_bytes_whatever_the_process(tmp_path: Path) -> None:
    script = tmp_path / "write_all.py"
    script.write_text(_WRITE_ALL)
    digests = set()
    for seed, threads, core in (("0", "1", "Haswell"), ("12345", "2", "Nehalem")):
        env = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads,
               "OPENBLAS_CORETYPE": core, "PYTHONPATH": os.getcwd()}  # fmt: skip
        done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_same_graph_same_bytes_twice(tmp_path: Path) -> None:
    graph = graph_from_text(*CASES["yolo v8 tail"])
    found = set()
    for _ in range(2):
        found.add(hashlib.sha256(tflite.write(graph, tmp_path, WriteOptions()).path.read_bytes()).hexdigest())
    assert len(found) == 1


def test_shared_weights_are_stored_once(tmp_path: Path) -> None:
    text = "g (float[N,64] x) => (float[N,k] y) { a = Gemm <transB=1> (x, w) b = Relu (a) y = Gemm <transB=1> (b, w) }"
    artifact = tflite.write(graph_from_text(text, {"w": np.random.default_rng(0).normal(size=(64, 64))}), tmp_path, WriteOptions())
    assert artifact.path.stat().st_size < 64 * 64 * 4 * 1.5


def test_outputs_are_tensors_of_their_own(tmp_path: Path) -> None:
    graph = graph_from_text(*CASES["same output twice"])
    artifact, session = written(graph, tmp_path)
    assert isinstance(session, Session)
    assert [t.name for t in artifact.outputs] == ["y", "z"]
    assert [d["name"] for d in session.facts["outputs"]] == ["y", "z"]
