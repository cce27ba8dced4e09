"""Operations of TensorFlow in functional models of Keras 2 (TFOpLambda)."""

from typing import Any

from exporter.sources.keras.call import Handler
from exporter.sources.keras.tensor import RefusedError

OPS: dict[str, Handler] = {}


def handler_of(operation: Any) -> Handler:
    """The handler of an operation.

    Raises:
        RefusedError: If there is none.
    """
    name = type(operation).__name__
    if name in OPS:
        return OPS[name]
    raise RefusedError("an operation without a lowering")
