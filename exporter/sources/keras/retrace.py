"""Finds the layers inside custom code: calls it with symbolic tensors, so that the framework records what it does.

Works for layers, models and Lambda functions made of other layers and of operations of their own framework.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.errors import SourceError
from exporter.sources.keras.call import Call, is_tf_keras, leaves, map_leaves
from exporter.sources.keras.tensor import RefusedError, Tensor
from exporter.sources.keras.walk import functional


def framework_of(thing: Any) -> Any:
    """The module `keras` or `tf_keras` that a layer, or the base class of a custom one, is from."""
    if any(is_tf_keras(cls) for cls in type(thing).__mro__):
        import tf_keras

        return tf_keras
    import keras

    return keras


def inside(call: Call) -> tuple[Any, list[Tensor]]:
    """The functional graph of what a layer's `call` does, and the Tensors for its inputs.

    Code under Keras 3 that calls TensorFlow itself is recorded by tf_keras, which can.

    Raises:
        RefusedError: If the code does more than its framework can record.
    """
    import tf_keras

    own = framework_of(call.layer)
    problems: list[str] = []
    for keras in dict.fromkeys((own, tf_keras)):
        try:
            return _record(call, keras)
        except Exception as problem:  # foreign code may raise anything
            lines = str(problem).strip().splitlines()
            problems.append(lines[0][:200] if lines else type(problem).__name__)
    raise RefusedError(f"its code is not made of layers and operations alone ({problems[0]})")


def _record(call: Call, keras: Any) -> tuple[Any, list[Tensor]]:
    tensors = list({id(t): t for t in call.tensors}.values())
    symbols = [keras.Input(batch_shape=(None, *t.dims[1:])) for t in tensors]
    by_tensor = {id(t): s for t, s in zip(tensors, symbols, strict=True)}
    args, kwargs = map_leaves([list(call.args), call.kwargs], lambda leaf: by_tensor.get(id(leaf), leaf))
    is_lambda = type(call.layer).__name__ == "Lambda"
    code = call.layer.function if is_lambda else call.layer.call
    extra = (getattr(call.layer, "arguments", None) or {}) if is_lambda else {}
    outputs = list(leaves(code(*args, **kwargs, **extra)))
    return functional(keras.Model(symbols, outputs)), tensors


def with_graph(model: Any, shapes: Mapping[str, Sequence[int]]) -> Any:
    """The model itself if it has a graph of layers, else a functional model that calls it.

    Args:
        model: Any model: functional, an unbuilt Sequential, a subclass.
        shapes: Input shapes by name, batch included; "" for the only input.

    Raises:
        SourceError: If neither the model nor `shapes` tells what it takes.
    """
    if functional(model) is not None:
        return model
    keras = framework_of(model)
    known = dict(shapes) or _built_for(model)
    if not known:
        raise SourceError(
            f"model {model.name} ({type(model).__name__}) does not say what it takes", hint="give it: --input-shape 1,224,224,3"
        )
    inputs = [keras.Input(batch_shape=(None, *shape[1:]), name=name or "input") for name, shape in known.items()]
    return keras.Model(inputs, model(inputs[0] if len(inputs) == 1 else dict(zip(known, inputs, strict=True))), name=model.name)


def _built_for(model: Any) -> dict[str, Sequence[int]]:
    """The input shape that a loaded model was built for."""
    config = model.get_build_config() if hasattr(model, "get_build_config") else None
    shape = (config or {}).get("input_shape") or getattr(model, "_build_input_shape", None)
    if shape is None or not all(d is None or isinstance(d, int) for d in shape) or any(d is None for d in shape[1:]):
        return {}
    return {"": tuple(shape)}
