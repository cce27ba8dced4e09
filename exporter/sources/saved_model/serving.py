"""The serving signature of a SavedModel: its names, its shapes, its outputs. It is the reference."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import SourceError, UsageError, unknown_name

DEFAULT = "serving_default"
TO_ONNX = "turn it into ONNX first, `python -m tf2onnx.convert --saved-model {name} --opset 18 --output {name}.onnx`"
"""The way to cut a SavedModel where it has no output."""

BATCH = 16
"""Samples computed at once where the signature does not fix the number."""


@dataclass(frozen=True)
class Serving:
    """One signature of a loaded model.

    Attributes:
        loaded: What tf.saved_model.load gave; keeps the weights alive.
        function: The signature's concrete function.
        inputs: TensorSpec by input name.
        known: Names of all its outputs.
        outputs: Names of the outputs wanted.
    """

    loaded: Any
    function: Any
    inputs: Mapping[str, Any]
    known: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def fixed(self) -> int | None:
        """The batch size that the signature fixes, if it does."""
        return next((int(s.shape[0]) for s in self.inputs.values() if s.shape.rank and s.shape[0] is not None), None)

    def reference(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs for n samples by input name; float32 where they are fractions."""
        missing = [n for n in self.inputs if n not in arrays]
        if missing:
            raise SourceError(f"no array for input {', '.join(missing)}", hint=f"the inputs are {', '.join(self.inputs)}")
        n, step = len(arrays[next(iter(self.inputs))]), self.fixed or BATCH
        parts = [self._call(arrays, start, min(start + step, n)) for start in range(0, n, step)]
        return {name: np.concatenate([p[name] for p in parts]) for name in self.outputs}

    def _call(self, arrays: Mapping[str, Array], start: int, stop: int) -> dict[str, Array]:
        import tensorflow as tf

        rows = np.arange(start, start + self.fixed if self.fixed else stop).clip(max=stop - 1)
        feeds = {n: tf.constant(_typed(np.asarray(arrays[n])[rows], s.dtype.as_numpy_dtype)) for n, s in self.inputs.items()}
        results = self.function(**feeds)
        return {name: _plain(results[name].numpy())[: stop - start] for name in self.outputs}


def _typed(x: Array, dtype: Any) -> Array:
    """In the signature's type; whole numbers are rounded and kept in range."""
    wanted = np.dtype(dtype)
    if wanted.kind in "iu" and x.dtype.kind == "f":
        limits = np.iinfo(wanted)
        return np.rint(x).clip(limits.min, limits.max).astype(wanted)
    return x.astype(wanted)


def _plain(y: Array) -> Array:
    return y.astype(np.float32) if y.dtype.kind == "f" else y


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts output_2 before output_10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def open_serving(folder: str, outputs: Sequence[str], name: str, signature: str | None = None) -> Serving:
    """Load a SavedModel and choose its signature: the one named, else `serving_default`, else the only one.

    Args:
        folder: The SavedModel.
        outputs: The signature's outputs wanted; none for all.
        name: The model's name, for messages.
        signature: The signature's name; None where it need not be said.

    Raises:
        SourceError: If it has no signature, or several without a default.
        UsageError: If there is no signature of that name, or an output is not in it.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)
    function = _chosen(dict(loaded.signatures), name, signature)
    specs = dict(function.structured_input_signature[1])
    known = sorted(function.structured_outputs, key=_natural)  # the file keeps them in no order
    for output in outputs:
        if output not in known:
            unknown = unknown_name("output of the serving signature", output, known)
            raise UsageError(unknown.message, hint=f"{unknown.hint}; inside its graph it cannot be cut: {TO_ONNX.format(name=name)}")
    return Serving(loaded, function, specs, tuple(known), tuple(outputs) or tuple(known))


def _chosen(signatures: Mapping[str, Any], name: str, wanted: str | None) -> Any:
    """The concrete function of one signature."""
    if not signatures:
        raise SourceError(
            f"SavedModel {name} has no signature to call it by",
            hint=f"save it again with one: `tf.saved_model.save(m, folder, signatures={{'{DEFAULT}': m.call.get_concrete_function(...)}})`",
        )
    if wanted is not None and wanted not in signatures:
        raise unknown_name("signature", wanted, signatures)
    only = next(iter(signatures)) if len(signatures) == 1 else DEFAULT
    if (wanted or only) not in signatures:
        names = sorted(signatures)
        raise SourceError(
            f"SavedModel {name} has several signatures ({', '.join(names)}) and no `{DEFAULT}`", hint=f"say which: --signature {names[0]}"
        )
    return signatures[wanted or only]
