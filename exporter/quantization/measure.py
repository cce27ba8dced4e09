"""How much of a net's outputs is lost: noise over signal, and the Kullback-Leibler divergence of what a Softmax makes of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, attr
from exporter.graph.ops import computed_by
from exporter.parity import told_apart

FLOOR = 1e-12
"""Losses below it are float noise; logarithms are taken of nothing smaller."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Where one output is measured: a Softmax or Sigmoid hides errors, so before it.

    Attributes:
        value: Name of the measured value.
        op: "Softmax" or "Sigmoid" where one follows, else None.
        axis: Of the Softmax.
    """

    value: str
    op: str | None
    axis: int = -1


@dataclass(frozen=True, slots=True)
class Loss:
    """Of all outputs; means over them.

    Attributes:
        noise: Sum of squared errors over sum of squares of the float net's numbers.
        kl: Divergence of the float net's probabilities from the others', in nats a sample; None without a Softmax or Sigmoid.
        agreement: Share of samples with the same best class; None where there are no classes.
    """

    noise: float
    kl: float | None
    agreement: float | None

    @property
    def sqnr_db(self) -> float:
        """Signal over noise in decibels, at most 120."""
        return -10 * float(np.log10(max(self.noise, FLOOR)))

    @property
    def quality_db(self) -> float:
        """What choices are made by, higher is better: the mean of SQNR and of the divergence in decibels, where there is one."""
        if self.kl is None:
            return self.sqnr_db
        return (self.sqnr_db - 10 * float(np.log10(max(self.kl, FLOOR)))) / 2

    def as_dict(self) -> dict[str, float | None]:
        """For the manifest."""
        return {"sqnr_db": self.sqnr_db, "kl": self.kl, "top1_agreement": self.agreement}


def tails(graph: Graph) -> tuple[Tail, ...]:
    """Where the outputs of a Graph are measured, in their order."""
    return tuple(_tail(value) for value in graph.model.graph.outputs)


def _tail(value: ir.Value) -> Tail:
    node = computed_by(value)
    if node is None or node.inputs[0] is None:
        return Tail(str(value.name), None)
    if node.op_type in ("Softmax", "LogSoftmax"):
        return Tail(str(node.inputs[0].name), "Softmax", int(attr(node, "axis", -1)))
    if node.op_type == "Sigmoid":
        return Tail(str(node.inputs[0].name), "Sigmoid")
    return Tail(str(value.name), None)


def loss(ends: Sequence[Tail], reference: Mapping[str, Array], got: Mapping[str, Array], scores: Collection[str] = ()) -> Loss:
    """What is lost of the outputs.

    Args:
        ends: Where they are measured.
        reference: The float net's numbers, by value name; axis 0 counts samples.
        got: Likewise, of the net that is judged.
        scores: Values of which only that matters for the noise which a Softmax tells apart.
    """
    noise, divergence, agreement = [], [], []
    for end in ends:
        ref, new = reference[end.value].astype(np.float64), got[end.value].astype(np.float64)
        noise.append(_noise(*(told_apart(x) if end.value in scores else x for x in (ref, new))))
        if end.op is not None:
            divergence.append(_divergence(end, ref, new))
        if ref.ndim == 2 and ref.shape[1] > 1:
            agreement.append(float(np.mean(ref.argmax(1) == new.argmax(1))))
    return Loss(float(np.mean(noise)), *(float(np.mean(x)) if x else None for x in (divergence, agreement)))


def _noise(ref: Array, got: Array) -> float:
    power = float(np.sum(ref**2))
    return float(np.sum((ref - got) ** 2)) / power if power else float(np.any(got))


def _divergence(end: Tail, ref: Array, got: Array) -> float:
    """Sum of p log(p / q) a sample; of the two outcomes of each element for a Sigmoid."""
    p, q = (_log_probabilities(end, x) for x in (ref, got))
    total = sum(float(np.sum(np.exp(a) * (a - b))) for a, b in zip(p, q, strict=True))
    return max(total, 0.0) / len(ref)


def _log_probabilities(end: Tail, x: Array) -> tuple[Array, ...]:
    if end.op == "Sigmoid":
        return -np.logaddexp(0, -x), -np.logaddexp(0, x)
    return (x - np.logaddexp.reduce(x, axis=end.axis, keepdims=True),)


def halves(samples: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Samples to choose by, and samples to confirm the choice with; the same one twice where there is only one."""
    count = len(next(iter(samples.values())))
    if count == 1:
        return dict(samples), dict(samples)
    return {k: v[0::2] for k, v in samples.items()}, {k: v[1::2] for k, v in samples.items()}
