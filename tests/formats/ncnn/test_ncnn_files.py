"""The bytes: half precision, what exceeds it, and the same bytes every time."""

import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exporter.formats import ncnn
from exporter.formats.artifact import WriteOptions
from exporter.graph import Graph
from exporter.runtimes.ncnn import Session
from tests.formats.ncnn.running import rels, written
from tests.graphs import graph_from_text

NET = """g (float[N,3,16,16] x) => (float[N,10] y, float[N,8,8,8] p) {
    c = Conv <pads=[1,1,1,1]> (x, w, b)  a = LeakyRelu <alpha=0.1> (c)  p = MaxPool <kernel_shape=[2,2], strides=[2,2]> (a)
    d = Conv <group=8, pads=[1,1,1,1]> (p, dw)  h = HardSwish (d)  q = GlobalAveragePool (h)  r = Reshape (q, s)
    y = Gemm <transB=1> (r, fw, fb)
}"""


def net(scale: float = 1.0) -> Graph:
    r = np.random.default_rng(0)
    arrays = {"w": r.normal(size=(8, 3, 3, 3)) * 0.3, "b": r.normal(size=8), "dw": r.normal(size=(8, 1, 3, 3)) * scale}
    return graph_from_text(NET, {**arrays, "s": np.array([0, 8]), "fw": r.normal(size=(10, 8)), "fb": r.normal(size=10)})


def test_fp16_halves_the_weights_and_stays_near(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    single = written(net(), tmp_path / "a")[0].files[1].stat().st_size
    artifact, session = written(net(), tmp_path / "b", "fp16")
    biases, tags = 4 * (8 + 10), 4 * 3
    assert artifact.precision == "fp16"
    assert artifact.files[1].stat().st_size == (single - biases - tags) // 2 + biases + tags
    assert max(rels(net(), artifact, session).values()) <= 3e-3  # weights of 11 significant bits


def test_fp16_file_is_right_under_the_engines_own_defaults(tmp_path: Path) -> None:
    artifact, _ = written(net(), tmp_path, "fp16")
    assert max(rels(net(), artifact, Session(str(artifact.path))).values()) <= 3e-3  # as above


def test_weights_beyond_float16_stay_float32(tmp_path: Path) -> None:
    graph = net(scale=1e5)
    artifact, session = written(graph, tmp_path, "fp16")
    depthwise = next(line for line in artifact.path.read_text().splitlines() if line.startswith("ConvolutionDepthWise"))
    assert " 31=3" in depthwise  # neither float16 storage nor arithmetic, whatever the engine's options are
    assert np.isfinite(list(rels(graph, artifact, session).values())).all()
    assert rels(graph, artifact, session)["p"] <= 3e-3  # weights of 11 significant bits


def test_an_odd_number_of_halves_is_padded_to_four_bytes(tmp_path: Path) -> None:
    graph = graph_from_text("g (float[N,3] x) => (float[N,1] y) { y = Gemm <transB=1> (x, w) }", {"w": np.array([[1.0, 2.0, 0.5]])})
    artifact, session = written(graph, tmp_path, "fp16")
    data = artifact.files[1].read_bytes()
    assert data == struct.pack("<I", 0x01306B47) + np.array([1, 2, 0.5], "<f2").tobytes() + b"\0\0"
    assert session.run({"in0": np.array([1, 1, 2], np.float32)})[1]["out0"].tolist() == [4]


def test_numbers_in_the_param_read_back_exactly(tmp_path: Path) -> None:
    graph = graph_from_text("g (float[N,3] x) => (float[N,3] y) { y = Mul (x, c) }", {"c": np.array(0.1234567891, np.float32)})
    _, session = written(graph, tmp_path)
    assert session.run({"in0": np.ones(3, np.float32)})[1]["out0"][0] == np.float32(0.1234567891)


SCRIPT = """
import sys
from pathlib import Path
from exporter.formats import ncnn
from exporter.formats.artifact import WriteOptions
from exporter.graph.qdq import insert
from exporter.quantization.assign import assign
from tests.formats.ncnn.test_ncnn_files import net
graph = net()
if sys.argv[2] in ("int8", "mixed"):
    points = ncnn.points(graph, {}, {"d"} if sys.argv[2] == "mixed" else frozenset())
    graph = insert(graph, assign(graph, points, {name: (-3.0, 2.0) for group in points.groups for name in group.values}))
ncnn.write(graph, Path(sys.argv[1]), WriteOptions(precision=sys.argv[2]))
"""


@pytest.mark.parametrize("precision", ncnn.PRECISIONS)
def test_same_bytes_whatever_the_hash_seed_and_threads(precision: str, tmp_path: Path) -> None:
    digests = set()
    for seed, threads, core in (("0", "1", "Prescott"), ("4242", "2", "Haswell")):
        folder = tmp_path / seed
        folder.mkdir()
        env = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "OPENBLAS_CORETYPE": core}
        subprocess.run([sys.executable, "-c", SCRIPT, str(folder), precision], env=env, check=True, timeout=120)
        digests.add(tuple(hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())))
    assert len(digests) == 1


def test_the_graph_is_left_as_it_was(tmp_path: Path) -> None:
    graph = net()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (ncnn.write(graph, tmp_path / folder, WriteOptions()) for folder in ("a", "b"))
    assert [f.read_bytes() for f in first.files] == [f.read_bytes() for f in second.files]
