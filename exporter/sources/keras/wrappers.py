"""Layers around a layer."""

from typing import Any

from exporter.sources.keras import activations, dense, images
from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler
from exporter.sources.keras.tensor import RefusedError

POINTWISE: dict[str, Handler] = {**activations.LAYERS, **dense.LAYERS, **dict.fromkeys(images.IDLE, images.idle)}
"""Layers that work on the last axis or element by element, so that one more axis changes nothing."""


def _time_distributed(b: Builder, call: Call) -> Any:
    inner = call.layer.layer
    name = type(inner).__name__
    if name not in POINTWISE or name == "PReLU" or (name == "Softmax" and inner.axis != -1):
        raise RefusedError(f"TimeDistributed({name}): only layers that work on the last axis are supported")
    return POINTWISE[name](b, Call(inner, call.args))


LAYERS: dict[str, Handler] = {"TimeDistributed": _time_distributed}
"""Layer class name to its handler."""
