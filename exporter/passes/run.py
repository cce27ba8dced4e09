"""Run the passes of a phase until nothing changes, and find the one that went wrong."""

from collections.abc import Callable, Mapping

from exporter.array import Array
from exporter.errors import ParityError
from exporter.graph import Graph
from exporter.graph.composites import define_composites
from exporter.graph.evaluate import evaluate
from exporter.graph.shapes import infer_missing
from exporter.graph.sizes import least_sizes, relative
from exporter.passes import PASSES, Pass, Phase

_ROUNDS = 30
TOLERANCE = 1e-4
"""Largest difference of an exact phase, relative to the output's largest value: folding rounds each weight once more; 1e-5 is usual."""

Watch = Callable[[str, Graph], None]


def clean(graph: Graph) -> dict[str, int]:
    """Bring a graph to the normal form, in place; returns the number of changes of each pass."""
    return run_phase(graph, Phase.CLEAN)


def fold(graph: Graph) -> dict[str, int]:
    """Fold batch norm, scales and pads into their neighbours, in place; returns the number of changes of each pass."""
    return run_phase(graph, Phase.FOLD)


def run_phase(graph: Graph, phase: Phase, watch: Watch | None = None) -> dict[str, int]:
    """Run a phase's passes, and the removal of what is dead, to their fixed point.

    Args:
        graph: Changed in place; every value has a shape again after each pass.
        phase: CLEAN or FOLD.
        watch: Told after each pass that changed something.
    """
    passes = [(name, kind()) for name, kind in PASSES.items() if kind.phase == phase or name in ("remove_dead", "eliminate_noops")]
    counts = {name: 0 for name, _ in passes}
    infer_missing(graph)
    for _ in range(_ROUNDS):
        changes = [_apply(graph, name, one, counts, watch) for name, one in passes]
        if not any(changes):
            break
    define_composites(graph.model)
    return {name: n for name, n in counts.items() if n}


def _apply(graph: Graph, name: str, one: Pass, counts: dict[str, int], watch: Watch | None) -> int:
    changes = one(graph)
    if changes:
        counts[name] += changes
        infer_missing(graph)
        if watch is not None:
            watch(name, graph)
    return changes


def checked(graph: Graph, phase: Phase, inputs: Mapping[str, Array]) -> Graph:
    """The graph after an exact phase, proved equal on samples; the given graph stays as it is.

    Args:
        graph: The graph before.
        phase: CLEAN or FOLD.
        inputs: A few samples by Graph input name, in the layout of the graph before.

    Raises:
        ParityError: If the outputs differ; names the pass that changed them first.
    """
    result = graph.clone()
    run_phase(result, phase)
    reference = _outputs(graph, graph, inputs)
    if _difference(graph, reference, _outputs(result, graph, inputs)) > TOLERANCE:
        _blame(graph, phase, inputs, reference)
    return result


def _blame(graph: Graph, phase: Phase, inputs: Mapping[str, Array], reference: dict[str, Array]) -> None:
    def watch(name: str, now: Graph) -> None:
        define_composites(now.model)
        difference = _difference(graph, reference, _outputs(now, graph, inputs))
        if difference > TOLERANCE:
            raise ParityError(
                f"pass {name} changed the outputs of {graph.name} by {difference:.2g} of their largest value, more than {TOLERANCE:g}",
                hint="this is a fault of mexport: please report the model",
            )

    run_phase(graph.clone(), phase, watch)
    raise ParityError(f"phase {phase} changed the outputs of {graph.name}", hint="this is a fault of mexport: please report the model")


def _outputs(graph: Graph, first: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs in the source's layout and names: a pass may change a port's."""
    sources = {p.name: p.to_source(inputs[p.name]) for p in first.inputs}
    feeds = {now.name: now.to_graph(sources[before.name]) for now, before in zip(graph.inputs, first.inputs, strict=True)}
    got = evaluate(graph, feeds)
    return {p.source_name: p.to_source(got[p.name]) for p in graph.outputs}


def _difference(graph: Graph, reference: dict[str, Array], got: dict[str, Array]) -> float:
    """The largest difference of any output, relative to the output's size; both by source name."""
    least = least_sizes(graph)
    return max(relative(reference[p.source_name], got[p.source_name], least.get(p.name, 0.0)) for p in graph.outputs)
