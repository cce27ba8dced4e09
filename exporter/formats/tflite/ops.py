"""The TFLite op list: what lowering gives and what is written. Quantization, when asked for, rewrites this list."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph.qdq import Affine

Axes = tuple[int, ...]
"""Physical axis i of a tensor holds axis `axes[i]` of the ONNX value; -1 is an axis of length 1 that the value does not have."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The initializer that a constant was made of.

    Attributes:
        name: The initializer.
        axis: Its axis of output channels; None for a constant that is no weight.
        index: Its channel at each channel of the tensor; None where axis is None.
        factor: The tensor is the initializer's values times this.
    """

    name: str
    axis: int | None = None
    index: Array | None = None
    factor: float = 1.0


@dataclass(eq=False, slots=True)
class TfTensor:
    """One tensor of the file.

    Attributes:
        name: Its name; unique in a written file.
        shape: Its shape in the file, batch 1.
        data: A constant's values: any array whose C order, flattened, is the tensor's content (often a view of the source's
            weights, so that nothing is copied before the file is written); None for a computed tensor.
        producer: The op that computes it; None for inputs and constants.
        values: The ONNX values it holds.
        computed: numpy name of a computed tensor's type; "bool" for comparisons.
        origin: The initializer that a constant is made of, where it is one.
        known: Smallest and largest real of a computed tensor, where they follow from its op: those of one without values, or of values
            that nobody has seen.
        multiple: A tensor made of this one, and how many times it this one is: the same integers stand for both.
        like: A tensor whose scale one without values and without a known range takes, being as wide.
        quant: How its integers stand for reals; its axis is one of the file's.
        bits: Of each stored integer: 4 where two int8 values are to be packed into a byte.
    """

    name: str
    shape: tuple[int, ...]
    data: Array | None = None
    producer: "TfOp | None" = None
    values: list[ir.Value] = field(default_factory=list)
    computed: str = "float32"
    origin: Origin | None = None
    known: tuple[float, float] | None = None
    multiple: "tuple[TfTensor, float] | None" = None
    like: "TfTensor | None" = None
    quant: Affine | None = None
    bits: int = 8

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type: a constant's own, else `computed`."""
        return np.dtype(self.computed) if self.data is None else self.data.dtype


@dataclass(eq=False, slots=True)
class TfOp:
    """One operator.

    Attributes:
        kind: Name in TFLite's BuiltinOperator, e.g. "CONV_2D".
        inputs: Tensors read, in TFLite's order.
        outputs: Tensors made.
        options: Fields of the builtin options table; enums by name ("padding": "SAME", "fusedActivationFunction": "RELU").
        layers: The Graph's layers that it computes, by the names of their first outputs; the first is the one that it was emitted for.
    """

    kind: str
    inputs: list[TfTensor]
    outputs: list[TfTensor]
    options: dict[str, Any]
    layers: list[str] = field(default_factory=list)

    @property
    def activation(self) -> str | None:
        """The fused activation, e.g. "RELU6"."""
        found = self.options.get("fusedActivationFunction")
        return None if found is None else str(found)


@dataclass(slots=True)
class TfModel:
    """A whole model.

    Attributes:
        inputs: Input tensors, in the Graph's order.
        outputs: Output tensors, in the Graph's order.
        ops: In execution order.
        held: ONNX value to the tensor that holds it in the end, with the order of its axes there.
        flat: Values whose elements are in another order than their axes say: no use as taps.
    """

    inputs: list[TfTensor]
    outputs: list[TfTensor]
    ops: list[TfOp]
    held: dict[ir.Value, tuple[TfTensor, Axes]]
    flat: frozenset[ir.Value] = frozenset()


def prune(model: TfModel) -> None:
    """Drop ops whose outputs nobody reads."""
    live, kept = set(model.outputs), []
    for op in reversed(model.ops):
        if any(t in live for t in op.outputs):
            kept.append(op)
            live.update(op.inputs)
    model.ops = kept[::-1]


def name_tensors(model: TfModel) -> None:
    """Give every tensor a name of its own; inputs and outputs keep theirs."""
    taken = {t.name for t in [*model.inputs, *model.outputs]}
    seen = {*model.inputs, *model.outputs}
    for op in model.ops:
        for t in [*op.inputs, *op.outputs]:
            if t not in seen:
                seen.add(t)
                base, i = t.name, 2
                while t.name in taken:
                    t.name, i = f"{base}_{i}", i + 1
                taken.add(t.name)
