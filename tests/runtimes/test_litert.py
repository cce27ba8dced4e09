"""LiteRT in a child process: our files, other people's, damaged ones."""

import random
from pathlib import Path

import numpy as np
import pytest

from exporter.errors import EngineError
from exporter.formats import tflite
from exporter.formats.artifact import Artifact, WriteOptions
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.runtimes.run import open_engine
from tests.graphs import graph_from_text, random_inputs

NET = (
    "g (float[N,3,16,16] x) => (float[N,k] y) "
    "{ a = Conv (x, w) r = Relu (a) f = Reshape (r, z) g = Gemm <transB=1> (f, u) y = Softmax (g) }"
)


@pytest.fixture
def net() -> Graph:
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(8, 3, 3, 3)), "z": np.array([0, 1568]), "u": rng.normal(size=(5, 1568)) * 0.05}
    return graph_from_text(NET, arrays)


@pytest.fixture
def artifact(net: Graph, tmp_path: Path) -> Artifact:
    return tflite.write(net, tmp_path, WriteOptions())


def test_runs_times_and_taps(net: Graph, artifact: Artifact) -> None:
    inputs = random_inputs(net)
    reference = evaluate(net, inputs, ["g", "y"])
    with open_engine("litert", artifact.path, threads=2) as engine:
        assert engine.facts["engine"] == "litert"
        assert engine.facts["delegated"] == 1
        assert engine.facts["load_ms"] > 0
        feeds = {"x": artifact.inputs[0].from_graph(inputs["x"])}
        _, got = engine.call("run", feeds)
        np.testing.assert_allclose(got["y"], reference["y"], rtol=1e-4, atol=1e-6)  # float32 rounding
        _, inner = engine.call("run", feeds, tensors=["g", "y"])
        np.testing.assert_allclose(inner["g"], reference["g"], rtol=1e-4, atol=1e-5)  # float32 rounding
        facts, _ = engine.call("time", runs=3, warmup=1)
        assert len(facts["ms"]) == 3
        assert facts["first_ms"] > 0
        many = {"x": np.stack([feeds["x"]] * 2)}
        assert engine.call("run_many", many)[1]["y"].shape == (2, 1, 5)


def test_first_inference_is_timed_even_when_taps_are_asked_first(net: Graph, artifact: Artifact) -> None:
    with open_engine("litert", artifact.path) as engine:
        engine.call("run", {"x": artifact.inputs[0].from_graph(random_inputs(net)["x"])}, tensors=["g"])
        facts, _ = engine.call("time", runs=2, warmup=0)
    assert facts["first_ms"] == facts["ms"][0]


def test_plain_kernels_by_option(artifact: Artifact) -> None:
    with open_engine("litert", artifact.path, options={"xnnpack": False}) as engine:
        assert engine.facts["delegated"] == 0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((1, 3, 16, 16), np.float32)}, r"input x .* \(1, 16, 16, 3\) float32, got \(1, 3, 16, 16\)"),
        ({"x": np.zeros((1, 16, 16, 3), np.uint8)}, "got .* uint8"),
        ({"image": np.zeros((1, 16, 16, 3), np.float32)}, "inputs .'x'., got .'image'."),
    ],
)
def test_wrong_inputs_are_named(artifact: Artifact, arrays: dict[str, np.ndarray], message: str) -> None:
    with open_engine("litert", artifact.path) as engine, pytest.raises(EngineError, match=message):
        engine.call("run", arrays)


def test_unknown_tensor_is_named(net: Graph, artifact: Artifact) -> None:
    with open_engine("litert", artifact.path) as engine, pytest.raises(EngineError, match="no tensor nonsense"):
        engine.call("run", {"x": artifact.inputs[0].from_graph(random_inputs(net)["x"])}, tensors=["nonsense"])


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot read"):
        open_engine("litert", tmp_path / "nothing.tflite")
    (tmp_path / "page.tflite").write_text("<!DOCTYPE html>")
    with pytest.raises(EngineError, match="no TFLite file"):
        open_engine("litert", tmp_path / "page.tflite")


@pytest.mark.parametrize("keep", [0, 8, 100, 1000, 0.5, 0.97])
def test_truncated_files_are_engine_errors(artifact: Artifact, keep: float) -> None:
    content = artifact.path.read_bytes()
    artifact.path.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(EngineError):
        open_engine("litert", artifact.path, timeout_s=60)


@pytest.mark.parametrize("seed", range(4))
def test_noisy_files_never_hurt_us(artifact: Artifact, net: Graph, seed: int) -> None:
    """Noise in the tables is an EngineError or still a file that runs (its sha256 tells); it is never our crash."""
    noise = random.Random(seed)
    content = bytearray(artifact.path.read_bytes())
    for _ in range(200):
        content[noise.randrange(8, 4000)] = noise.randrange(256)
    artifact.path.write_bytes(bytes(content))
    try:
        with open_engine("litert", artifact.path, timeout_s=60) as engine:
            engine.call("run", {"x": artifact.inputs[0].from_graph(random_inputs(net)["x"])})
    except EngineError as problem:
        told = str(problem)
    else:
        told = "model.tflite ran"
    assert "model.tflite" in told


def test_other_peoples_int8_files_run_in_their_own_types(kit: Path) -> None:
    path = kit / "models/keras/mlperf_resnet8_cifar10/pretrainedResnet_quant.tflite"
    with open_engine("litert", path) as engine:
        (entry,), (out,) = engine.facts["inputs"], engine.facts["outputs"]
        assert entry["dtype"] in {"int8", "uint8"}
        assert entry["scale"] > 0
        _, got = engine.call("run", {entry["name"]: np.zeros(entry["shape"], entry["dtype"])})
        assert got[out["name"]].dtype == np.dtype(out["dtype"])


def test_timing_before_running_is_refused(artifact: Artifact) -> None:
    with open_engine("litert", artifact.path) as engine, pytest.raises(EngineError, match="nothing to time"):
        engine.call("time", runs=1, warmup=0)
