"""How near two right implementations of a quantized Graph come to each other on given samples.

A number next to a half rounds up in one and down in the other, that moves numbers behind it next to other halves, and so on: a quantized
net amplifies differences of float rounding, or of an engine's approximate division, to whole integers. So the scales of the weights are
moved at random by what an engine's arithmetic may be off, and the outputs are looked at.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, add_constant, attr, const
from exporter.graph.evaluate import evaluate
from exporter.graph.sizes import least_sizes
from exporter.parity import sqnr_db
from exporter.runtimes.settings import FLOAT_ERROR

DRAWS = 8
"""Moved Graphs: where one sample in a few decides, of three all may be as near as is rare (decision 17)."""


def integer_floor_db(
    graph: Graph, inputs: Mapping[str, Array], values: Sequence[str] | None = None, *, depthwise: float = FLOAT_ERROR
) -> dict[str, float]:
    """By value name: the smallest signal-to-noise ratio, in dB, of moved Graphs against the Graph; infinite where none moves it.

    Args:
        graph: A Graph with pairs; stays as it is.
        inputs: By Graph input name, in Graph layout.
        values: Names; None for the Graph's outputs.
        depthwise: Relative error of depthwise layers, see `runtimes.settings.depthwise_error`; all others have `FLOAT_ERROR`.
    """
    still = evaluate(graph, inputs, values)
    floors, least = dict.fromkeys(still, float("inf")), least_sizes(graph)
    for seed in range(DRAWS):
        other = evaluate(moved(graph, depthwise, np.random.default_rng(seed)), inputs, values)
        floors = {name: min(floor, sqnr_db(still[name], other[name], least.get(name, 0.0))) for name, floor in floors.items()}
    return floors


def moved(graph: Graph, depthwise: float, rng: np.random.Generator) -> Graph:
    """The Graph as another right implementation might compute it."""
    other = graph.clone()
    for node in other.nodes:
        scale = const(node.inputs[1]) if node.op_type == "DequantizeLinear" and const(node.inputs[0]) is not None else None
        if scale is None:
            continue
        size = depthwise if any(_is_depthwise(user) for user, _ in node.outputs[0].uses()) else FLOAT_ERROR
        tensor = (scale * (1 + rng.uniform(-size, size, scale.shape))).astype(np.float32)
        node.replace_input_with(1, add_constant(other, f"{node.outputs[0].name}__moved", tensor))
    return other


def _is_depthwise(node: ir.Node) -> bool:
    return node.op_type == "Conv" and int(attr(node, "group", 1)) > 1
