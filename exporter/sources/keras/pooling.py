"""Pooling layers, 1-D and 2-D."""

from exporter.sources.keras.builder import Builder
from exporter.sources.keras.call import Call, Handler, pair
from exporter.sources.keras.convolution import pads_of
from exporter.sources.keras.layout import arrange, layer_channels, reshape
from exporter.sources.keras.tensor import RefusedError, Tensor


def _input(b: Builder, call: Call) -> Tensor:
    if call.x.rank not in (3, 4):
        raise RefusedError(f"an input of rank {call.x.rank}; 3 and 4 are supported")
    if len(call.tensors) > 1:
        raise RefusedError("pooling under a mask")
    return arrange(b, call.x, layer_channels(call.layer, call.x.rank))


def _pool(op: str) -> Handler:
    def lower(b: Builder, call: Call) -> Tensor:
        x, layer = _input(b, call), call.layer
        n = x.rank - 2
        kernel, strides = pair(layer.pool_size, n), pair(layer.strides or layer.pool_size, n)
        pads = pads_of(layer, x.shape[2:], kernel, strides, (1,) * n)
        return b.one(op, [x], x.perm, kernel_shape=list(kernel), strides=list(strides), pads=pads)

    return lower


def _global(op: str) -> Handler:
    def lower(b: Builder, call: Call) -> Tensor:
        x = _input(b, call)
        y = b.one(op, [x], x.perm)
        return y if getattr(call.layer, "keepdims", False) else reshape(b, y, (x.shape[1],))

    return lower


LAYERS: dict[str, Handler] = {
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "MaxPool1D", "MaxPool2D"), _pool("MaxPool")),
    **dict.fromkeys(("AveragePooling1D", "AveragePooling2D"), _pool("AveragePool")),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalAveragePooling2D"), _global("GlobalAveragePool")),
    **dict.fromkeys(("GlobalMaxPooling1D", "GlobalMaxPooling2D"), _global("GlobalMaxPool")),
}
"""Layer class name to its handler."""
