"""The last check of an import: rows of a batch do not see each other. Shown by the operators, or measured where these leave it open."""

import numpy as np

from exporter.array import Array
from exporter.errors import SourceError
from exporter.graph import Graph, shape_of
from exporter.graph.evaluate import evaluate
from exporter.graph.sizes import FAINT, least_sizes, size_of
from exporter.sources.onnx.row_wise import is_row_wise
from exporter.sources.onnx.walk import FREE_HINT

ROWS = 4
TOLERANCE = 1e-3
"""Of the largest value: engines order sums differently for another batch size; mixed rows differ by far more."""


def check_rows(graph: Graph) -> None:
    """Compare samples run together with each run alone, in onnxruntime.

    Raises:
        SourceError: If they differ: names the first value that does.
    """
    body = graph.model.graph
    if is_row_wise(graph):
        return
    if any(node.domain not in ("", "ai.onnx") for node in body):
        return  # an operator that no engine here knows: the writer refuses it by name
    rng = np.random.default_rng(0)
    together = {v.name or "": rng.standard_normal((ROWS, *shape_of(v)[1:])).astype(np.float32) for v in body.inputs}
    last = {name: x[-1:] for name, x in together.items()}
    many, alone = evaluate(graph, together), evaluate(graph, last)
    least = least_sizes(graph)
    wrong = [name for name in alone if not _agree(many[name], alone[name], least.get(name, 0.0))]
    if wrong:
        raise SourceError(f"value {_first(graph, together, last) or wrong[0]} mixes the samples of a batch", hint=FREE_HINT)


def _agree(many: Array, alone: Array, least: float) -> bool:
    if len(many) != ROWS or many.shape[1:] != alone.shape[1:]:
        return False
    limit = TOLERANCE * size_of(alone, max(least, FAINT))
    return bool(np.allclose(many[-1:], alone, rtol=0, atol=limit, equal_nan=True))


def _first(graph: Graph, together: dict[str, Array], last: dict[str, Array]) -> str | None:
    """The first value along the graph, among those with the batch on axis 0, whose rows differ."""
    names = [v.name for n in graph.model.graph for v in n.outputs if v.name and v.shape and v.shape[0] == "N" and v.uses()]
    if not names:
        return None
    many, alone, least = evaluate(graph, together, names), evaluate(graph, last, names), least_sizes(graph)
    return next((name for name in names if not _agree(many[name], alone[name], least[name])), None)
