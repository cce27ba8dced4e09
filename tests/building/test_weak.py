"""Rounded outputs that are good before their final activation and bad behind it."""

import numpy as np

from exporter.building.quantized import _weak
from exporter.proving.proof import rounding
from tests.graphs import graph_from_text

GRAPH = graph_from_text("g (float[N,1,10,10] x) => (float[N,1,10,10] y) { l = Relu (x)  y = Sigmoid (l) }", {})


def said(real, rounded):
    logits = ({"l": x, "y": 1 / (1 + np.exp(-x))} for x in (real, rounded))
    return _weak(rounding(GRAPH, *logits))


def scores(found: float) -> np.ndarray:
    """A map that finds something in one place."""
    x = np.full((2, 1, 10, 10), -30.0)
    x[:, :, 4, 4] = found
    return x


def test_a_detector_that_finds_nothing_any_more_is_told_of():
    (text,) = said(scores(5), scores(-5))  # 20 dB before the Sigmoid
    assert text.startswith("output y has an SQNR of 0.1 dB")
    assert "--min-sqnr-db" in text


def test_one_that_finds_it_still_is_not():
    assert said(scores(5), scores(4)) == []


def test_nor_is_one_that_sees_nothing():
    assert said(scores(-30), scores(-25)) == []
