"""Random small graphs in int8 and mixed: the file must compute what the quantized Graph says."""

import random
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.formats import ncnn
from tests.formats.ncnn.integers import quantized, worst_db, written
from tests.formats.ncnn.test_ncnn_random import sketch
from tests.graphs import graph_from_text, random_inputs

STEPS = ("conv", "conv", "conv", "activation", "gate", "arithmetic", "pool", "concat", "cut", "shuffle", "resize")

LEAST_DB = 25.0
"""An integer near a half may round the other way, after sums in another order or ncnn's approximate reciprocal of depthwise layers;
on maps of a few elements a single one shows at 40 dB and less, and layers behind it round again."""


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from(STEPS), min_size=1, max_size=9), st.booleans())
def test_random_graphs_compute_what_the_pairs_say(seed: int, steps: list[str], mixed: bool) -> None:
    made = sketch(seed, steps)
    text = made.text()
    graph = graph_from_text(text, {k: v for k, v in made.arrays.items() if k in text})
    x = random_inputs(graph, seed % 1000)
    layers = ncnn.points(graph, {}).layers
    kept = frozenset(layer for layer in layers if mixed and random.Random(f"{seed}{layer}").random() < 0.4)
    qdq = quantized(graph, x, kept)
    with tempfile.TemporaryDirectory() as folder:
        artifact, session = written(qdq, Path(folder), "mixed" if mixed else "int8")
        found = worst_db(qdq, artifact, session, x)
    assert found >= LEAST_DB, text
