"""Faults of the installed ncnn that the writer goes around; each test tells when ncnn is repaired."""

from pathlib import Path

import numpy as np
import pytest

from exporter.array import Array
from exporter.formats import ncnn
from exporter.graph import Graph
from tests.formats.ncnn.integers import lines, quantized, worst_db, written
from tests.graphs import graph_from_text, random_inputs

RIGHT_DB = 60
"""Float32 rounding leaves 130 dB, weights in half precision 66 dB."""


def grouped() -> Graph:
    r = np.random.default_rng(0)
    inits = {"w": r.normal(size=(16, 4, 3, 3)), "b": r.normal(size=16)}
    return graph_from_text("g (float[N,8,9,9] x) => (float[N,a,b,c] y) { y = Conv <group=2, pads=[1,1,1,1]> (x, w, b) }", inits)


def test_groups_of_eight_outputs_stay_float_and_are_named(tmp_path: Path) -> None:
    graph = grouped()
    x = random_inputs(graph)
    assert ncnn.points(graph, {}).layers == ()
    assert any("stays float in int8 files" in p.reason and not p.fatal for p in ncnn.check(graph))
    artifact, session = written(quantized(graph, x), tmp_path)
    assert lines(artifact) == [("ConvolutionDepthWise", 0)]
    assert worst_db(graph, artifact, session, x) >= RIGHT_DB


def test_ncnn_still_computes_groups_of_eight_outputs_wrongly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, ncnn is repaired: take `wrong_in_groups` out of the writer, for versions from then on.

    Without packing the same file is right, which shows that the file is not to blame.
    """
    monkeypatch.setattr("exporter.formats.ncnn.convolution.wrong_in_groups", lambda groups, inputs, outputs: False)
    graph = grouped()
    x = random_inputs(graph)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path)
    assert lines(artifact) == [("ConvolutionDepthWise", 1)]
    assert not worst_db(qdq, artifact, session, x) >= RIGHT_DB
    (tmp_path / "unpacked").mkdir()
    artifact, session = written(qdq, tmp_path / "unpacked", options={"use_packing_layout": False})
    assert worst_db(qdq, artifact, session, x) >= RIGHT_DB


def smoothing(group: int) -> tuple[Graph, dict[str, Array]]:
    """A layer of positive weights on a bright picture: sums of 9 x 64 x 127 x 127, 9.3 million."""
    r = np.random.default_rng(0)
    graph = graph_from_text(
        f"g (float[N,{64 * group},12,12] x) => (float[N,a,b,c] y) {{ y = Conv <pads=[1,1,1,1], group={group}> (x, w) }}",
        {"w": r.uniform(0.9, 1, (12 * group, 64, 3, 3))},
    )
    return graph, {"x": r.uniform(0.9, 1, (1, 64 * group, 12, 12)).astype(np.float32)}


@pytest.mark.parametrize("group", [1, 2])
def test_sums_too_large_for_winograd_are_kept_from_it(group: int, tmp_path: Path) -> None:
    graph, x = smoothing(group)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path)
    assert " 31=64" in artifact.path.read_text()
    assert worst_db(qdq, artifact, session, x) >= RIGHT_DB


@pytest.mark.parametrize("group", [1, 2])
def test_winograd_still_overflows(group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, ncnn is repaired: take `overflows_winograd` out of the writer, for versions from then on."""
    monkeypatch.setattr("exporter.formats.ncnn.int8.overflows_winograd", lambda weights: False)
    graph, x = smoothing(group)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path)
    assert " 31=" not in artifact.path.read_text()
    assert not worst_db(qdq, artifact, session, x) >= RIGHT_DB


def test_ordinary_wide_layers_run_winograd(tmp_path: Path) -> None:
    r = np.random.default_rng(0)
    inits = {"w": r.normal(size=(16, 512, 3, 3))}
    graph = graph_from_text("g (float[N,512,4,4] x) => (float[N,a,b,c] y) { y = Conv <pads=[1,1,1,1]> (x, w) }", inits)
    x = random_inputs(graph)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path)
    assert " 31=" not in artifact.path.read_text()
    assert worst_db(qdq, artifact, session, x) >= RIGHT_DB
