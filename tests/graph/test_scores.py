"""What only a final Softmax reads, and nothing else."""

import numpy as np
import pytest

from exporter.graph.scores import softmax_scores
from tests.graphs import graph_from_text

SHAPE = {"k": np.array([0, 3])}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("g (float[N,3] x) => (float[N,3] y) { l = Relu (x)  y = Softmax (l) }", {"l": "l"}),
        ("g (float[N,3,1,1] x) => (float[N,3] y) { c = Relu (x)  l = Reshape (c, k)  y = Softmax (l) }", {"c": "l", "l": "l"}),
        ("g (float[N,3,1,1] x) => (float[N,3] y) { l = Relu (x)  s = Softmax <axis = 1> (l)  y = Reshape (s, k) }", {"l": "l"}),
        ("g (float[N,3] x) => (float[N,3] l, float[N,3] y) { l = Relu (x)  y = Softmax (l) }", {}),  # somebody reads the scores themselves
        ("g (float[N,3] x) => (float[N,3] y, float[N,3] z) { l = Relu (x)  y = Softmax (l)  z = Sigmoid (l) }", {}),
        ("g (float[N,3] x) => (float[N,3] y) { l = Relu (x)  y = LogSoftmax (l) }", {}),  # tells how far behind a class is
        ("g (float[N,3] x) => (float[N,3] y) { l = Relu (x)  y = Sigmoid (l) }", {}),
        ("g (float[N,3,4] x) => (float[N,3,4] y) { l = Relu (x)  y = Softmax (l) }", {}),  # many rows a sample
        ("g (float[N,3,1,1] x) => (float[N,3,1,1] y) { l = Relu (x)  y = Softmax (l) }", {}),  # of one class each
        ("g (float[N,3] x) => (float[N,3] y) { l = Relu (x)  s = Softmax (l)  y = Relu (s) }", {}),
        ("g (float[N,3] x) => (float[N,3] y, float[N,3] z) { l = Relu (x)  y = Softmax (l)  z = Log (y) }", {}),
    ],
)
def test_scores_are_what_a_final_softmax_alone_reads(text: str, found: dict[str, str]) -> None:
    assert softmax_scores(graph_from_text(text, SHAPE if "Reshape" in text else {})) == found
