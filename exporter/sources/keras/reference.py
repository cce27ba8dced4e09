"""The framework's own outputs of a model: what every export is measured against."""

from collections.abc import Mapping, Sequence

import numpy as np

from exporter.array import Array
from exporter.errors import SourceError
from exporter.sources.keras.signature import Signature, layers_of

BATCH = 16
"""Samples computed at once where the model does not fix the number."""


def reference(signature: Signature, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs by name, float32, for any number of samples by input name.

    Raises:
        SourceError: If an input is missing.
    """
    missing = [n for n in signature.inputs if n not in arrays]
    if missing:
        raise SourceError(f"no array for input {', '.join(missing)}", hint=f"the inputs are {', '.join(signature.inputs)}")
    columns = [np.asarray(arrays[n]).astype(d) for n, d in zip(signature.inputs, signature.input_dtypes, strict=True)]
    fixed = next((int(t.shape[0]) for t in signature.model.inputs if t.shape[0] is not None), None)
    step = fixed or BATCH
    parts = [_batch(signature, [c[i : i + step] for c in columns], fixed) for i in range(0, len(columns[0]), step)]
    return dict(zip(signature.outputs, (np.concatenate(p) for p in zip(*parts, strict=True)), strict=True))


def _batch(signature: Signature, columns: Sequence[Array], fixed: int | None) -> list[Array]:
    """One call of the model; the last batch of a fixed size is filled up with copies of its last sample."""
    n = len(columns[0])
    if fixed is not None and n < fixed:
        columns = [np.concatenate([c, np.repeat(c[-1:], fixed - n, axis=0)]) for c in columns]
    results = _call(signature, list(columns))
    results = results if isinstance(results, list | tuple) else [results]
    return [np.asarray(r)[:n].astype(np.float32) for r in results]


def _call(signature: Signature, columns: list[Array]) -> object:
    """Plain eager execution; channels-first layers run on a CPU only when XLA compiles them."""
    if not any(getattr(layer, "data_format", None) == "channels_first" for layer in layers_of(signature.model)):
        return signature.model(columns, training=False)
    import tensorflow as tf

    return tf.function(lambda xs: signature.model(xs, training=False), jit_compile=True)(columns)
