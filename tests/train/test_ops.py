"""Every operator that the writers know, against onnxruntime, with gradients for every weight."""

import numpy as np
import pytest
import tensorflow as tf

from exporter.formats.ncnn.table import OPS as NCNN
from exporter.formats.tflite.table import EMIT as TFLITE
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.train.bridge import Bridge
from exporter.train.separate import separate
from exporter.train.table import OPS
from tests.formats.ncnn.test_ncnn_ops import OWN
from tests.formats.tflite.cases import CASES
from tests.graphs import graph_from_text, random_inputs

ALL = {**{f"shared: {k}": v for k, v in CASES.items()}, **OWN}
ROUNDING = 2e-5
"""Float32 rounding in sums of a few hundred products, in another order than onnxruntime's."""


def worst(graph: Graph, bridge: Bridge, samples: int = 3) -> float:
    """max|got - ref| / max|ref| of the worst output."""
    ends = (*graph.model.graph.inputs, *graph.model.graph.outputs)
    fixed = any(isinstance(d, int) for v in ends for d in list(v.shape or [])[:1])  # a case that holds for one sample only
    inputs = random_inputs(graph, samples=1 if fixed else samples)
    wanted, got = evaluate(graph, inputs), bridge({p.source_name: p.to_source(inputs[p.name]) for p in graph.inputs})
    rels = []
    for port in graph.outputs:
        ref, have = wanted[port.name], port.to_graph(np.asarray(got[port.source_name]))
        assert have.shape == ref.shape
        rels.append(float(np.abs(have - ref).max() / max(float(np.abs(ref).max()), 1e-9)))
    return max(rels)


@pytest.mark.parametrize("name", ALL)
def test_agrees_with_onnxruntime(name: str) -> None:
    graph = separate(graph_from_text(*ALL[name]))
    assert worst(graph, Bridge(graph)) <= ROUNDING


@pytest.mark.parametrize("name", [name for name, (_, inits) in ALL.items() if inits])
def test_every_weight_has_a_gradient(name: str) -> None:
    graph = separate(graph_from_text(*ALL[name]))
    bridge = Bridge(graph)
    inputs = {p.source_name: x for p, x in zip(graph.inputs, random_inputs(graph, samples=2).values(), strict=True)}

    @tf.function(autograph=False)
    def gradients() -> list[tf.Tensor | None]:
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_sum(tf.square(y)) for y in bridge(inputs, training=True).values() if y.dtype.is_floating])
        return tape.gradient(loss, list(bridge.trainable.values()))

    if bridge.trainable:
        found = dict(zip(bridge.trainable, gradients(), strict=True))
        assert [n for n, g in found.items() if g is None or not np.isfinite(np.asarray(g)).all()] == []


def test_knows_every_operator_that_a_writer_knows() -> None:
    assert (set(TFLITE) | set(NCNN)) - set(OPS) == set()
