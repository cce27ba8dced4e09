"""Keras or tf_keras model to Graph."""

from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir

from exporter.errors import SourceError
from exporter.graph import BATCH, OPSET, Graph, Port
from exporter.sources.keras import (
    activations,
    attention,
    convolution,
    dense,
    images,
    merging,
    normalization,
    op_layers,
    ops,
    pooling,
    shaping,
    tf_ops,
    wrappers,
)
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler, leaves
from exporter.sources.keras.layout import arrange, canonical, identity, unpack
from exporter.sources.keras.refused import REASONS
from exporter.sources.keras.retrace import inside
from exporter.sources.keras.signature import Signature, layers_of, signature_of
from exporter.sources.keras.tensor import RefusedError, Tensor
from exporter.sources.keras.walk import functional, run

LAYERS: dict[str, Handler] = {
    **activations.LAYERS, **convolution.LAYERS, **pooling.LAYERS, **dense.LAYERS, **normalization.LAYERS, **merging.LAYERS,
    **shaping.LAYERS, **images.LAYERS, **attention.LAYERS, **wrappers.LAYERS,
    **op_layers.LAYERS,
}  # fmt: skip
"""Layer class name to handler, for Keras 3 and tf_keras alike."""

UNLIKE_PARENT = ("AdditiveAttention",)
"""Layers that keep a parent's `call` and mean something else by it: they are looked into."""

MAX_NAMED = 12
"""So many refused layers are written out in one error."""


def lower_model(model: Any, *, name: str, input_shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """A loaded, built Keras 3 or tf_keras model as a RAW Graph.

    Args:
        model: Functional, Sequential, or anything with a functional graph.
        name: Name of the Graph.
        input_shapes: Source-layout shapes (batch included) by input name, for axes the model leaves open; "" for the only input.

    Raises:
        SourceError: Names every layer that cannot be lowered, all at once; or an input whose shape is open.
    """
    return lower_signature(signature_of(model), name=name, input_shapes=input_shapes or {})


def lower_signature(signature: Signature, *, name: str, input_shapes: Mapping[str, Sequence[int]]) -> Graph:
    """The same for a model whose inputs and outputs are already named."""
    b = Builder(channels_first=_is_channels_first(signature.model))
    lowering = _Lowering(b)
    dims = signature.input_dims(input_shapes)
    inputs = [_input(b, n, d) for n, d in zip(signature.inputs, dims, strict=True)]
    graph = functional(signature.model)
    results = lowering.whole(graph, inputs)
    taken = [i.value for i in inputs]
    outputs = [_output(b, n, t, taken) for n, t in zip(signature.outputs, results, strict=True)]
    body = ir.Graph(
        [i.value for i in inputs], [o.value for o in outputs], nodes=b.nodes, initializers=list(b.constants.values()),
        opset_imports={"": OPSET}, name=name,
    )  # fmt: skip
    ports_in = [_port(n, t, d) for n, t, d in zip(signature.inputs, inputs, signature.input_dtypes, strict=True)]
    ports_out = [_port(n, t, "float32") for n, t in zip(signature.outputs, outputs, strict=True)]
    return Graph(ir.Model(body, ir_version=10, producer_name="mexport"), tuple(ports_in), tuple(ports_out), name)


def _is_channels_first(model: Any) -> bool:
    """Whether most layers say so; Flatten's own setting is about something else."""
    formats = [getattr(layer, "data_format", None) for layer in layers_of(model) if type(layer).__name__ != "Flatten"]
    return formats.count("channels_first") > formats.count("channels_last")


def _input(b: Builder, name: str, dims: Sequence[int]) -> Tensor:
    perm = canonical(b, len(dims) + 1)
    return Tensor(b.input(name, [dims[a - 1] for a in perm[1:]]), perm)


def _port(source_name: str, tensor: Tensor, dtype: str) -> Port:
    assert tensor.value.name is not None
    return Port(source_name, tensor.value.name, tensor.perm, dtype)


def _output(b: Builder, name: str, tensor: Tensor, taken: list[ir.Value]) -> Tensor:
    """The tensor as a graph output under its source name; pictures in the usual layout, others as they lie.

    Args:
        b: Where nodes go.
        name: The source's name.
        tensor: What comes out.
        taken: Values that are an input or output already; the result joins them.
    """
    b.scope = name
    tensor = unpack(b, tensor)
    usual = canonical(b, tensor.rank)
    if tensor.perm != usual and (tensor.rank > 3 or tensor.perm != identity(tensor.rank)):
        tensor = arrange(b, tensor, usual)
    if any(tensor.value is v for v in taken):
        tensor = b.map("Identity", tensor)
    taken.append(tensor.value)
    if tensor.value.name != "_".join(name.split()):
        b.rename(tensor.value, name)
    return tensor


class _Lowering:
    """Visits every call of a model; collects what is refused."""

    def __init__(self, b: Builder) -> None:
        self.b = b
        self.problems: list[str] = []

    def whole(self, graph: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The output tensors; raises SourceError with all that was refused."""
        try:
            results = run(graph, inputs, self.visit)
        except _NoShapeError:
            results = []
        if self.problems:
            told = "; ".join(self.problems[:MAX_NAMED])
            more = f"; and {len(self.problems) - MAX_NAMED} more" if len(self.problems) > MAX_NAMED else ""
            raise SourceError(
                f"layers that cannot be exported: {told}{more}", hint="cut them off with --inputs / --outputs, or replace them"
            )
        return results

    def visit(self, layer: Any, args: list[Any], kwargs: dict[str, Any], outputs: list[Any]) -> list[Any]:
        inner = functional(layer)
        if inner is not None:
            return run(inner, [t for t in leaves([args[:1], kwargs]) if isinstance(t, Tensor)], self.visit)
        self.b.scope = "_".join(layer.name.split())
        start = len(self.b.nodes)
        try:
            results = self._lower(Call(layer, args, kwargs), outputs)
        except RefusedError as problem:
            self.problems.append(f"{layer.name} ({_kind(layer)}): {problem}")
            return [_placeholder(symbol) for symbol in outputs]
        except (TypeError, ValueError, AttributeError, LookupError) as problem:
            self.problems.append(f"{layer.name} ({_kind(layer)}): settings we do not understand ({type(problem).__name__}: {problem})")
            return [_placeholder(symbol) for symbol in outputs]
        self._name(results, start)
        return results

    def _lower(self, call: Call, outputs: list[Any]) -> list[Any]:
        handler = handler_of(call.layer)
        if handler is None:
            graph, inputs = inside(call)
            results = run(graph, inputs, self.visit)
            self.b.scope = "_".join(call.layer.name.split())
        else:
            results = _as_list(handler(self.b, call), len(outputs))
        for got, symbol in zip(results, outputs, strict=True):
            _check_shape(got, symbol)
        return results

    def _name(self, results: list[Any], start: int) -> None:
        """The layer's own name for its output, if this call made it."""
        made = {id(v) for node in self.b.nodes[start:] for v in node.outputs}
        if len(results) == 1 and isinstance(results[0], Tensor) and id(results[0].value) in made:
            self.b.rename(results[0].value, self.b.scope)


class _NoShapeError(Exception):
    """The walk cannot go on behind a refused layer whose output shape is open."""


def _as_list(result: Any, wanted: int) -> list[Any]:
    results = list(result) if isinstance(result, list | tuple) and wanted != 1 else [result]
    if len(results) == 1 and isinstance(results[0], list | tuple) and len(results[0]) == 1:
        results = list(results[0])
    if len(results) != wanted:
        raise RefusedError(f"{wanted} outputs where {len(results)} were lowered")
    return results


def _kind(layer: Any) -> str:
    symbol = getattr(layer, "symbol", None)
    return f"tf.{symbol}" if symbol else type(layer).__name__


def handler_of(layer: Any) -> Handler | None:
    """The handler of a layer or operation: by class, or by a parent class whose `call` it keeps; None: look inside.

    Raises:
        RefusedError: If the layer is of a kind we refuse, or an operation we do not know.
    """
    if getattr(layer, "quantization_mode", None):
        raise RefusedError("an already quantized layer; export the float model")
    if getattr(layer, "symbol", None):
        return tf_ops.handler_of(layer)
    if not hasattr(layer, "get_weights"):
        return ops.handler_of(layer)
    for cls in type(layer).__mro__:
        if cls.__name__ in REASONS:
            raise RefusedError(REASONS[cls.__name__])
        if (
            type(layer).__name__ not in UNLIKE_PARENT
            and cls.__name__ in LAYERS
            and (cls is type(layer) or type(layer).call is getattr(cls, "call", None))
        ):
            return LAYERS[cls.__name__]
    return None


def _check_shape(got: Any, symbol: Any) -> None:
    """Our shape against the framework's own, where it knows it: a mistake of ours must not pass."""
    if not isinstance(got, Tensor):
        return
    theirs = tuple(symbol.shape)
    fits = len(theirs) == got.rank and all(t is None or t == o for t, o in zip(theirs[1:], got.dims[1:], strict=True))
    if not fits:
        raise RefusedError(f"lowered to shape {list(got.dims[1:])} where Keras has {list(theirs[1:])}")


def _placeholder(symbol: Any) -> Tensor:
    """Stands for a refused layer's output, so that the layers behind it are checked too."""
    dims = tuple(symbol.shape)
    if any(d is None for d in dims[1:]):
        raise _NoShapeError
    value = ir.Value(name="refused", shape=ir.Shape([BATCH, *dims[1:]]), type=ir.TensorType(ir.DataType.FLOAT))
    return Tensor(value, identity(len(dims)))
