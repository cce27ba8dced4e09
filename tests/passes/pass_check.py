"""What every test of a pass asks: how the graph looks after, that it computes the same, and that a second run finds nothing."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from exporter.array import Array
from exporter.graph import Graph
from exporter.graph.composites import define_composites
from exporter.graph.evaluate import evaluate
from exporter.graph.shapes import infer_missing
from exporter.passes import PASSES
from tests.graphs import graph_from_text, random_inputs


def ops(graph: Graph) -> dict[str, int]:
    return dict(Counter(n.op_type for n in graph.nodes))


def outputs(graph: Graph, sources: Mapping[str, Array]) -> dict[str, Array]:
    """In the source's names and layout, whatever the ports say by now."""
    got = evaluate(graph, {p.name: p.to_graph(sources[p.source_name]) for p in graph.inputs})
    return {p.source_name: p.to_source(got[p.name]) for p in graph.outputs}


def apply(names: str, text: str, inits: Mapping[str, Array] | None = None, *, tolerance: float = 1e-6) -> Graph:
    """A graph after the named passes, each run until it finds nothing; outputs equal for a batch of 2, names kept.

    The tolerance is relative to the output's largest value: 1e-6 is float32 rounding of one operation; passes that move
    data or attributes only are held to 0.
    """
    graph = graph_from_text(text, inits)
    sources = {p.source_name: p.to_source(x) for p, x in zip(graph.inputs, random_inputs(graph, samples=2).values(), strict=True)}
    before = outputs(graph, sources)
    kept = [(p.name, p.source_name) for p in (*graph.inputs, *graph.outputs)]
    for name in names.split():
        for _ in range(6):
            changes = PASSES[name]()(graph)
            infer_missing(graph)
            if not changes:
                break
        assert changes == 0, f"{name} finds something to change for ever"
    define_composites(graph.model)
    after = outputs(graph, sources)
    assert [(p.name, p.source_name) for p in (*graph.inputs, *graph.outputs)] == kept
    assert [v.name for v in (*graph.model.graph.inputs, *graph.model.graph.outputs)] == [name for name, _ in kept]
    for key, expected in before.items():
        assert after[key].shape == expected.shape
        np.testing.assert_allclose(after[key], expected, rtol=0, atol=tolerance * max(np.abs(expected).max(), 1e-30))
    return graph


def changes(name: str, text: str, inits: Mapping[str, Array] | None = None) -> int:
    """How much one run of a pass changes."""
    return PASSES[name]()(graph_from_text(text, inits))
