"""How near two right implementations of a quantized Graph come: what is measured by moving scales, against real engines."""

from pathlib import Path

import numpy as np
import pytest

from exporter.building.prove import LEEWAY_DB
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.parity import sqnr_db
from exporter.quantization.integer_floor import DRAWS, integer_floor_db, moved
from exporter.runtimes.settings import FLOAT_ERROR, depthwise_error
from tests.formats.ncnn.integers import quantized, worst_db, written
from tests.graphs import graph_from_text, random_inputs


def depthwise_net(layers: int, *, seed: int = 0, sharp: float | None = None) -> Graph:
    """Depthwise and pointwise layers in turn, 16 channels; with `sharp` pooled to scores so many times as large, and a Softmax."""
    r = np.random.default_rng(seed)
    body, inits, last = "", {}, "x"
    for i in range(layers):
        body += f" d{i} = Conv <group=16, pads=[1,1,1,1]> ({last}, w{i}) r{i} = Relu (d{i}) p{i} = Conv (r{i}, v{i})"
        inits |= {f"w{i}": r.normal(size=(16, 1, 3, 3)) / 3, f"v{i}": r.normal(size=(16, 16, 1, 1)) / 3}
        last = f"p{i}"
    if sharp is None:
        return graph_from_text(f"g (float[N,16,8,8] x) => (float[N,a,b,c] y) {{ {body} y = Sigmoid ({last}) }}", inits)
    end = f"a = GlobalAveragePool ({last}) f = Flatten (a) z = Mul (f, sharp) y = Softmax (z)"
    return graph_from_text(f"g (float[N,16,8,8] x) => (float[N,16] y) {{ {body} {end} }}", {**inits, "sharp": np.float32(sharp)})


def test_an_approximate_division_lowers_the_floor_and_depth_lowers_it_further() -> None:
    found = {}
    for depth in (1, 8):
        graph = depthwise_net(depth)
        x = random_inputs(graph)
        qdq = quantized(graph, x)
        found[depth] = [integer_floor_db(qdq, x, depthwise=e)["y"] for e in (FLOAT_ERROR, depthwise_error("ncnn"))]
    assert found[1][1] < found[1][0]
    assert found[8][1] < found[1][1]


def test_ncnn_is_as_near_as_the_floor_says(tmp_path: Path) -> None:
    graph = depthwise_net(8)
    x = random_inputs(graph)
    qdq = quantized(graph, x)
    floor = integer_floor_db(qdq, x, depthwise=depthwise_error("ncnn"))["y"]
    artifact, session = written(qdq, tmp_path)
    assert worst_db(qdq, artifact, session, x) >= floor - 6  # twice as far: draws differ by 3 dB each way


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_no_right_implementation_falls_below_though_probabilities_hang_on_few_samples(seed: int) -> None:
    """With a floor of three draws each of these nets had some below."""
    x = random_inputs(depthwise_net(8), samples=16)
    scores = evaluate(depthwise_net(8, seed=seed, sharp=1), x, ["z"])["z"]
    graph = depthwise_net(8, seed=seed, sharp=100 / float(np.abs(scores).max()))
    qdq, error = quantized(graph, x), depthwise_error("ncnn")
    floor = integer_floor_db(qdq, x, depthwise=error)["y"]
    still = evaluate(qdq, x)["y"]
    others = [evaluate(moved(qdq, error, np.random.default_rng(other)), x)["y"] for other in range(DRAWS, 40)]
    assert min(sqnr_db(still, y) for y in others) >= floor - LEEWAY_DB


def test_the_graph_given_stays_as_it_is() -> None:
    graph = depthwise_net(1)
    x = random_inputs(graph)
    qdq = quantized(graph, x)
    assert integer_floor_db(qdq, x) == integer_floor_db(qdq, x)
    assert integer_floor_db(graph, x) == {"y": np.inf}  # no scale to move
