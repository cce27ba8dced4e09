"""Decides whether the batch has to come to the front of a graph's values, and brings it there: see `front.py`."""

import numpy as np
import onnx_ir as ir

from exporter.errors import SourceError
from exporter.graph import OPSET
from exporter.sources.onnx.facts import Facts
from exporter.sources.onnx.front import Dims, Front, Place, front
from exporter.sources.onnx.front_rules import RULES
from exporter.sources.onnx.refuse import living
from exporter.sources.onnx.upgrade import constant, set_input
from exporter.sources.onnx.walk import learn, named


def to_front(model: ir.Model, facts: Facts) -> tuple[Facts, str | None]:
    """Rewrite a graph some of whose values have the batch elsewhere than on axis 0, or merged with another axis.

    Left alone: a graph that has it in front everywhere, one made for more than one sample at a time, and one with an operator that
    cannot be followed.

    Returns:
        Facts of the graph as it is now, and which operator could not be followed, if that is why it is as it was.

    Raises:
        SourceError: If the batch of an output lies on another axis; names it.
    """
    if facts.batch != 1:
        return facts, None
    f = Front(facts, dict.fromkeys(model.graph.inputs, 0))
    nodes = [n for n in living(model.graph) if not all((fact := facts.of(v)) is not None and fact.value is not None for v in n.outputs)]
    stuck = None
    for node in nodes:
        try:
            _follow(f, node)
        except (ValueError, IndexError) as problem:
            stuck = stuck or f"node {named(node)}: {problem}"
            f.put(node, 0)
    if all(f.place[v] == 0 for n in nodes for v in n.outputs):
        return facts, None
    if stuck is not None:
        return facts, stuck
    ends = _ends(model.graph, f)
    _bake(nodes, facts)
    for edit in f.edits:
        edit()
    for index, shape in ends.items():
        _reshape_output(model.graph, index, shape)
    return learn(model, 1, OPSET, fixed=facts.fixed), None


def _follow(f: Front, node: ir.Node) -> None:
    rule = RULES.get(node.op_type) if not node.domain else None
    if rule is not None:
        rule(f, node)
    elif all(f.of(node, i) == 0 for i in f.computed(node)):
        f.put(node, 0)
    else:
        raise ValueError("the batch is not on axis 0 of what it takes")


def _bake(nodes: list[ir.Node], facts: Facts) -> None:
    """Constants that are computed, from shapes that change now, are taken as they are for one sample."""
    made: dict[ir.Value, ir.Value] = {}
    for node in nodes:
        for i, value in enumerate(node.inputs):
            array = facts.constant(node, i)
            if value is None or array is None or value.const_value is not None:
                continue
            if value not in made:
                made[value] = constant(node, f"constant{i}", np.asarray(array))
            node.replace_input_with(i, made[value])


def _ends(graph: ir.Graph, f: Front) -> dict[int, Dims]:
    """Outputs to be reshaped, by index: in the file, an axis 0 of size 1 is the batch's; without one it gets an axis more."""
    ends = {}
    for index, value in enumerate(graph.outputs):
        place, shape = f.place.get(value), f.shape(value)
        want: Place = 0 if shape[:1] == (1,) else None
        if place and want is None:
            raise SourceError(
                f"output {value.name} has the batch on axis {place}, not in front",
                hint="turn it to the front before the export, or cut the model before it with --outputs",
            )
        if place != want and front(shape, place) != front(shape, want):
            ends[index] = front(shape, want)
    return ends


def _reshape_output(graph: ir.Graph, index: int, shape: Dims) -> None:
    old = graph.outputs[index]
    new = ir.node("Reshape", [old])
    new.outputs[0].name, old.name = old.name, f"{old.name}/inner"
    graph.append(new)
    set_input(new, 1, constant(new, "shape", np.array([0, *shape[1:]], np.int64)))
    graph.outputs[index] = new.outputs[0]
