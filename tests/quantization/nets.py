"""Small nets, a format that quantizes every convolution and product, and calibration without a data set."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.formats.points import Group, Points, Ranges, Scheme, Weights
from exporter.graph import Graph
from exporter.graph.evaluate import Evaluator
from exporter.graph.qdq import layer_of
from exporter.quantization.calibration import Calibration
from exporter.quantization.histogram import Histogram, Statistics
from tests.graphs import graph_from_text

BINS = 2048


class Plain:
    """A format that stores the inputs and outputs of Conv, Gemm and Add in integers; a Relu, Clip or LeakyRelu after a Conv is in it."""

    def __init__(self, scheme: Scheme | None = None, fused: tuple[str, ...] = ("Relu", "Clip", "LeakyRelu")) -> None:
        self.scheme, self.fused = scheme or Scheme(), fused

    def spell_out(self, graph: Graph) -> None:
        pass

    def points(self, graph: Graph, ranges: Ranges, keep_float: Any) -> Points:
        nodes = [n for n in graph.nodes if n.op_type in ("Conv", "Gemm", "Add") and layer_of(n) not in keep_float]
        values: dict[str, None] = {}
        weights = []
        for node in nodes:
            for value in node.inputs[: 2 if node.op_type == "Add" else 1]:
                values[str(value.name)] = None
            values[str(self._end(node).name)] = None
            if node.op_type != "Add":
                bias = str(node.inputs[2].name) if len(node.inputs) > 2 else None
                weights.append(Weights(layer_of(node), str(node.inputs[0].name), str(node.inputs[1].name), 0, bias))
        groups = tuple(Group((name,)) for name in values)
        return Points(self.scheme, tuple(layer_of(n) for n in nodes), groups, tuple(weights))

    def _end(self, node: ir.Node) -> ir.Value:
        value = node.outputs[0]
        users = value.consumers()
        if node.op_type == "Conv" and len(users) == 1 and users[0].op_type in self.fused:
            return users[0].outputs[0]
        return value


def statistics_of(graph: Graph, samples: Mapping[str, Array]) -> Statistics:
    """Of all values on the samples."""
    names = [str(v.name) for n in graph.nodes for v in n.outputs]
    values = {**samples, **Evaluator(graph, names).run(samples)}
    count = len(next(iter(samples.values())))
    return Statistics({name: _histogram(x.reshape(count, -1).astype(np.float64)) for name, x in values.items()}, count)


def _histogram(rows: Array) -> Histogram:
    low, high = float(rows.min()), float(rows.max())
    ends = (low, high if high > low else low + 1)
    counts, _ = np.histogram(rows, BINS, ends)
    return Histogram(counts, ends, (low, high), (float(rows.min(1).mean()), float(rows.max(1).mean())))


def calibration_of(graph: Graph, samples: Mapping[str, Array]) -> Calibration:
    """All samples calibrate, and are kept."""
    return Calibration(graph, samples, lambda g: statistics_of(g, samples))


def conv_net(seed: int = 0, *, activation: str = "Relu", spread: float = 0.0) -> Graph:
    """Two convolutions, a depthwise one between, an Add and a classifier of ten.

    Args:
        seed: Of the weights.
        activation: Between convolutions: "Relu", "LeakyRelu", or "Clip" from 0 to 6.
        spread: Deviation of the natural logarithm of each channel's size, undone by the layer after it: nets grow such channels.
    """
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(0, spread, 16)) if spread else np.ones(16)

    def he(*shape: int) -> Array:
        return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))

    inits = {
        "w1": he(16, 3, 3, 3) * size[:, None, None, None], "b1": rng.normal(0, 0.1, 16) * size,
        "w2": he(16, 1, 3, 3) / size[:, None, None, None], "b2": rng.normal(0, 0.1, 16),
        "w3": he(16, 16, 1, 1), "b3": rng.normal(0, 0.1, 16), "w4": he(16, 16, 1, 1), "b4": rng.normal(0, 0.1, 16),
        "wf": he(10, 16) * 3, "bf": rng.normal(0, 0.1, 10), "zero": np.float32(0), "six": np.float32(6),
    }  # fmt: skip
    act = {"Clip": "Clip ({}, zero, six)", "LeakyRelu": "LeakyRelu <alpha = 0.1> ({})", "Relu": "Relu ({})"}[activation]
    if activation != "Clip":
        inits = {k: v for k, v in inits.items() if k not in ("zero", "six")}
    text = f"""g (float[N,3,12,12] x) => (float[N,10] y) {{
      c1 = Conv <pads = [1,1,1,1]> (x, w1, b1)  a1 = {act.format("c1")}
      c2 = Conv <pads = [1,1,1,1], group = 16> (a1, w2, b2)  a2 = {act.format("c2")}
      c3 = Conv (a2, w3, b3)
      c4 = Conv (c3, w4, b4)  a4 = {act.format("c4")}
      s = Add (c3, a4)
      p = GlobalAveragePool (s)  f = Flatten (p)
      l = Gemm <transB = 1> (f, wf, bf)  y = Softmax (l) }}"""
    return graph_from_text(text, inits)


def pictures(count: int = 32, seed: int = 1, size: int = 12) -> dict[str, Array]:
    """Smooth random pictures of 3 channels by input name `x`, each of its own contrast."""
    rng = np.random.default_rng(seed)
    coarse = rng.standard_normal((count, 3, size // 4, size // 4)) * rng.uniform(0.3, 1.5, (count, 1, 1, 1))
    smooth = np.kron(coarse, np.ones((1, 1, 4, 4))) + 0.2 * rng.standard_normal((count, 3, size, size))
    return {"x": smooth.astype(np.float32)}
