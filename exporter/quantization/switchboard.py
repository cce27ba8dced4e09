"""One session in which every scale, zero point and weight is an input, and every rounding has a switch.

    Given:   a Graph, and where it is rounded
    Result:  for a pair of scale s and zero point z:  y = Where(on, DequantizeLinear(QuantizeLinear(x, s, z), s, z), x)
             for a constant w:  an input of the same name

A candidate is then one run with other numbers; no session is built anew. The pairs are those of `qdq.insert`, so a run computes what the
inserted Graph computes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.errors import EngineError
from exporter.graph import Graph, shape_of
from exporter.graph.evaluate import Evaluator
from exporter.graph.qdq import Affine, Edge, Quantization, layer_of, placed, rounded_by
from exporter.quantization.assign import array_of

CHUNK = 16
"""Samples of one run: the inner values of more would not fit the caches, nor small memories."""

HELD = 1 << 27
"""Elements of all values wanted of one run, 512 MiB: of large ones fewer samples run at once."""

Site = str | Edge
"""A pair: on a value, or on the way to some of its readers."""

Feeds = dict[str, Array]
"""What a run takes beside its samples."""


class Switchboard:
    """A Graph whose rounding is steered by its inputs.

    Args:
        graph: The float Graph.
        quantization: Where it is rounded; its numbers are not kept.
        constants: Further constants to steer, e.g. biases that stay float.
        values: Inner values wanted, besides the outputs.
        raw: Inner values wanted as they are before they are rounded; see `raw_of`.
        reads: Layers whose first input is wanted as they see it; see `input_of`.
        base: Where constants that are not rounded are read: the Graph before repairs; None for the Graph itself.

    Raises:
        EngineError: If onnxruntime refuses the graph.
    """

    def __init__(
        self, graph: Graph, quantization: Quantization, constants: Iterable[str] = (), *, values: Iterable[str] = (),
        raw: Iterable[str] = (), reads: Iterable[str] = (), base: Graph | None = None,
    ) -> None:  # fmt: skip
        self.graph, self.base = graph, base or graph
        self.sites: tuple[Site, ...] = (*quantization.values, *quantization.edges)
        self.constants = tuple(dict.fromkeys((*quantization.constants, *constants)))
        steered, nodes = placed(graph, quantization)
        self._raw = {site: str(rounded_by(nodes[site]).name) for site in quantization.values}
        for number, site in enumerate(self.sites):
            _switch(steered, nodes[site], number)
        self.read = {layer_of(n): tuple(None if v is None else str(v.name) for v in n.inputs) for n in steered.nodes}
        for name in self.constants:
            _feed(steered, name, nodes.get(name))
        self._elements = {str(v.name): prod(shape_of(v)) for node in steered.nodes for v in node.outputs if v.shape is not None}
        outputs = [str(v.name) for v in steered.model.graph.outputs]
        inputs = {str(v.name) for v in steered.model.graph.inputs}
        wanted = dict.fromkeys((*outputs, *values, *map(self.raw_of, raw), *map(self.input_of, reads)))
        self._session = Evaluator(steered, [name for name in wanted if name not in inputs]).session

    def feeds(
        self, quantization: Quantization, off: Iterable[Site] = (), float_constants: Iterable[str] = (), graph: Graph | None = None
    ) -> Feeds:
        """The inputs that make the session compute a Quantization.

        Args:
            quantization: Of the same places.
            off: Pairs that do not round.
            float_constants: Constants that are not rounded.
            graph: Where the other constants are read: the same Graph with other numbers in them.
        """
        silent, plain = set(off), set(float_constants)
        numbers = _numbers(quantization)
        feeds: Feeds = {}
        for i, site in enumerate(self.sites):
            feeds |= {f"scale_{i}": numbers[site].scale, f"zero_{i}": numbers[site].zero_point, f"on_{i}": np.array(site not in silent)}
        for name in self.constants:
            array = array_of(self.base if name in plain else graph or self.graph, name).astype(np.float32)
            how = quantization.constants.get(name)
            feeds[name] = array if how is None or name in plain else how.dequantize(how.quantize(array))
        return feeds

    def renumber(self, feeds: Feeds, quantization: Quantization) -> Feeds:
        """The same feeds with the scales and zero points of other activations; switches and constants stay."""
        numbers = _numbers(quantization)
        changed = {f"scale_{i}": numbers[site].scale for i, site in enumerate(self.sites)}
        return {**feeds, **changed, **{f"zero_{i}": numbers[site].zero_point for i, site in enumerate(self.sites)}}

    def run(self, feeds: Feeds, samples: Mapping[str, Array], values: Sequence[str]) -> dict[str, Array]:
        """Values wanted of all samples, by name; axis 0 counts samples, or rows of them."""
        parts = list(self.chunks(feeds, samples, values))
        return {name: np.concatenate([part[name] for part in parts]) for name in values}

    def chunks(self, feeds: Feeds, samples: Mapping[str, Array], values: Sequence[str]) -> Iterator[dict[str, Array]]:
        """As `run`, a few samples at a time: for values of which more would not fit in memory."""
        count, wanted = len(next(iter(samples.values()))), sum(self._elements.get(name, 0) for name in values)
        at_once = min(CHUNK, max(HELD // max(wanted, 1), 1))
        for i in range(0, count, at_once):
            few = {k: v[i : i + at_once] for k, v in samples.items()}
            computed = [name for name in values if name not in few]
            yield {**few, **dict(zip(computed, self._chunk(feeds, few, computed) if computed else (), strict=True))}

    def raw_of(self, value: str) -> str:
        """What a value is called before it is rounded."""
        return self._raw.get(value, value)

    def input_of(self, layer: str, index: int = 0) -> str:
        """What a layer reads, as it sees it: rounded."""
        name = self.read[self.raw_of(layer)][index]
        assert name is not None
        return name

    def _chunk(self, feeds: Feeds, samples: Mapping[str, Array], values: Sequence[str]) -> list[Array]:
        import onnxruntime as ort

        options = ort.RunOptions()
        options.only_execute_path_to_fetches = True
        inputs = {**feeds, **{k: np.ascontiguousarray(v, np.float32) for k, v in samples.items()}}
        try:
            return list(self._session.run(list(values), inputs, options))
        except Exception as problem:
            first = (str(problem) or type(problem).__name__).splitlines()[0]
            raise EngineError(f"onnxruntime on the switchboard of {self.graph.name}: {first}") from problem


def _numbers(quantization: Quantization) -> dict[Site, Affine]:
    numbers: dict[Site, Affine] = {name: how for name, how in quantization.values.items()}  # noqa: C416 -- keys of a wider type
    return numbers | {edge: how for edge, how in quantization.edges.items()}  # noqa: C416


def _input(graph: Graph, name: str, shape: Sequence[int], dtype: ir.DataType) -> ir.Value:
    value = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(dtype))
    graph.model.graph.inputs.append(value)
    return value


def _switch(graph: Graph, back: ir.Node, number: int) -> None:
    """Give a pair's scale and zero point, and whether it rounds, into the caller's hands."""
    stored, out = back.inputs[0], back.outputs[0]
    assert stored is not None
    assert stored.dtype is not None
    body, source = graph.model.graph, rounded_by(back)
    quantize = stored.producer()
    assert quantize is not None
    scale = _input(graph, f"scale_{number}", (), ir.DataType.FLOAT)
    zero = _input(graph, f"zero_{number}", (), stored.dtype)
    for node in (quantize, back):
        node.replace_input_with(1, scale)
        node.replace_input_with(2, zero)
    chosen = ir.node("Where", [_input(graph, f"on_{number}", (), ir.DataType.BOOL), None, source], name=f"switch_{number}")
    result, name = chosen.outputs[0], out.name
    result.shape, result.type = out.shape, out.type
    out.replace_all_uses_with(result, replace_graph_outputs=True)
    chosen.replace_input_with(1, out)
    out.name, result.name = f"rounded_{number}", name
    body.insert_after(back, chosen)


def _feed(graph: Graph, name: str, back: ir.Node | None) -> None:
    """Turn a constant, or the node that makes it of integers, into an input."""
    body = graph.model.graph
    old = body.initializers[name] if back is None else back.outputs[0]
    assert old.shape is not None
    if back is None:
        del body.initializers[name]
    value = _input(graph, name, [int(str(d)) for d in old.shape], ir.DataType.FLOAT)
    old.replace_all_uses_with(value)
    if back is not None:
        body.remove(back, safe=True)
