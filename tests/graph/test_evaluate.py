import numpy as np

from exporter.graph.evaluate import LENT_BYTES, evaluate
from tests.graphs import graph_from_text


def test_a_big_weight_that_no_node_reads_is_no_hindrance() -> None:
    graph = graph_from_text("net (float[N, 2] x) => (float[N, 2] y) { y = Relu(x) }", {"w": np.zeros(LENT_BYTES, np.float32)})
    x = np.array([[-1, 2]], np.float32)
    assert evaluate(graph, {"x": x})["y"].tolist() == [[0, 2]]
