"""A quantized source's own scales in another format's terms."""

from pathlib import Path

import numpy as np
import pytest

from exporter.building.inherited import carried
from exporter.formats import load_writer
from exporter.formats.artifact import WriteOptions
from exporter.graph.qdq import insert
from exporter.graph.strip import strip
from exporter.sources.open import open_source
from tests.formats.ncnn.integers import lines
from tests.graphs import graph_from_text, random_inputs
from tests.sources.test_onnx_quantized import finished, quantized_as

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("per_channel", [True, False])
def test_groups_whose_channels_have_scales_of_their_own_stay_float_in_ncnn(tmp_path: Path, per_channel: bool) -> None:
    graph = graph_from_text(
        "g (float[N,8,6,6] x) => (float[N,a,b,c] y) { c = Conv (x, w) d = Conv <group=2> (c, g) y = Conv (d, v) }",
        {"w": RNG.standard_normal((8, 8, 1, 1)), "g": RNG.standard_normal((8, 4, 3, 3)), "v": RNG.standard_normal((8, 8, 1, 1))},
    )
    x = random_inputs(graph, samples=6)
    path = quantized_as(graph, tmp_path, x["x"], per_channel=per_channel, extra_options={"ActivationSymmetric": True})
    with open_source(path) as source:
        real, own = strip(finished(source.load()))
    writer = load_writer("ncnn")
    found = carried(real, own, writer, x)
    assert found is not None
    work, how, points = found
    assert len(points.layers) == (2 if per_channel else 3)
    artifact = writer.write(insert(work, how), tmp_path, WriteOptions(precision="int8"))
    assert [term > 0 for _, term in lines(artifact)] == [True, not per_channel, True]
