"""The framework's own outputs of a model: what every export is measured against."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import SourceError
from exporter.sources.keras.signature import Signature

BATCH = 256
"""Most samples computed at once where the model does not fix the number."""

BATCH_ELEMENTS = 2_400_000
"""And most numbers among them: 16 pictures of 224x224x3."""

Run = Callable[[list[Array]], Any]


def reference(signature: Signature, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs by name, float32, for any number of samples by input name.

    Raises:
        SourceError: If an input is missing or there is no sample.
    """
    missing = [n for n in signature.inputs if n not in arrays]
    if missing:
        raise SourceError(f"no array for input {', '.join(missing)}", hint=f"the inputs are {', '.join(signature.inputs)}")
    if not len(next(iter(arrays.values()))):
        raise SourceError("no samples to compute the reference on", hint="give at least one")
    columns = [np.asarray(arrays[n]).astype(d) for n, d in zip(signature.inputs, signature.input_dtypes, strict=True)]
    fixed = next((int(t.shape[0]) for t in signature.model.inputs if t.shape[0] is not None), None)
    step = fixed or min(BATCH, max(1, BATCH_ELEMENTS // sum(c[0].size for c in columns)))
    starts = range(0, len(columns[0]), step)
    run = _runner(signature, [c[:1].repeat(fixed or 1, axis=0) for c in columns])
    parts = [_batch(run, [c[i : i + step] for c in columns], fixed) for i in starts]
    return dict(zip(signature.outputs, (np.concatenate(p) for p in zip(*parts, strict=True)), strict=True))


def _runner(signature: Signature, sample: list[Array]) -> Run:
    """Plain eager execution where the CPU has all kernels; else XLA compiles (channels first, dilated transposed convolution)."""
    import tensorflow as tf

    def eager(columns: list[Array]) -> Any:
        return signature.model(columns, training=False)

    try:
        eager(sample)
    except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError):
        compiled: Run = tf.function(eager, jit_compile=True)
        return compiled
    return eager


def _batch(run: Run, columns: Sequence[Array], fixed: int | None) -> list[Array]:
    """One call of the model; the last batch of a fixed size is filled up with copies of its last sample."""
    n = len(columns[0])
    if fixed is not None and n < fixed:
        columns = [np.concatenate([c, np.repeat(c[-1:], fixed - n, axis=0)]) for c in columns]
    results = run(list(columns))
    results = results if isinstance(results, list | tuple) else [results]
    return [np.asarray(r)[:n].astype(np.float32) for r in results]
