"""A fault of the installed ncnn, which the writer goes around: grouped int8 convolutions whose groups have a multiple of 8 outputs."""

from pathlib import Path

import numpy as np
import pytest

from exporter.formats import ncnn
from exporter.graph import Graph
from tests.formats.ncnn.integers import lines, quantized, worst_db, written
from tests.graphs import graph_from_text, random_inputs

RIGHT_DB = 60
"""Float32 rounding leaves 130 dB."""


def grouped() -> Graph:
    r = np.random.default_rng(0)
    body = "{ y = Conv <group=2, pads=[1,1,1,1]> (x, w, b) }"
    return graph_from_text(
        f"g (float[N,8,9,9] x) => (float[N,a,b,c] y) {body}", {"w": r.normal(size=(16, 4, 3, 3)), "b": r.normal(size=16)}
    )


def test_such_layers_stay_float_and_are_named(tmp_path: Path) -> None:
    graph = grouped()
    x = random_inputs(graph)
    assert ncnn.points(graph, {}).layers == ()
    assert any("stays float in int8 files" in p.reason and not p.fatal for p in ncnn.check(graph))
    artifact, session = written(quantized(graph, x), tmp_path)
    assert lines(artifact) == [("ConvolutionDepthWise", 0)]
    assert worst_db(graph, artifact, session, x) >= RIGHT_DB  # weights in half precision


def test_ncnn_still_computes_them_wrongly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, ncnn is repaired: take `wrong_in_groups` out of the writer, for versions from then on.

    Without packing the same file is right, which shows that the file is not to blame.
    """
    monkeypatch.setattr("exporter.formats.ncnn.convolution.wrong_in_groups", lambda groups, inputs, outputs: False)
    graph = grouped()
    x = random_inputs(graph)
    qdq = quantized(graph, x)
    artifact, session = written(qdq, tmp_path)
    assert lines(artifact) == [("ConvolutionDepthWise", 1)]
    assert not worst_db(qdq, artifact, session, x) >= RIGHT_DB  # may well be not-a-number
    (tmp_path / "unpacked").mkdir()
    artifact, session = written(qdq, tmp_path / "unpacked", options={"use_packing_layout": False})
    assert worst_db(qdq, artifact, session, x) >= RIGHT_DB
