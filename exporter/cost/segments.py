"""A file cut after some of its operators: where the cuts go, and what lies between two of them."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST = 64
"""Cuts of one file. Each costs a load and two inferences of what is before it; more operators than this share segments."""

TENSOR_WORK = frozenset(
    (
        *("Convolution", "ConvolutionDepthWise", "Convolution1D", "ConvolutionDepthWise1D", "Convolution3D", "Deconvolution"),
        *("DeconvolutionDepthWise", "InnerProduct", "Gemm", "MatMul", "MultiHeadAttention", "LSTM", "GRU", "RNN", "SDPA"),
        *("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL"),
        *("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
        *("Conv", "ConvTranspose", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul", "Attention", "Einsum"),
    )
)
"""Kinds of layer that multiply by weights or matrices, by the names of ncnn, TFLite and ONNX; all else is non-tensor work."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a file.

    Attributes:
        name: Its own, or its output's.
        kind: As its format calls it.
        may_cut: Whether the file can end behind it and still run as it does when it goes on.
    """

    name: str
    kind: str
    may_cut: bool = True

    @property
    def tensor_work(self) -> bool:
        """Convolution or matrix product."""
        return self.kind in TENSOR_WORK


@dataclass(frozen=True, slots=True)
class Segment:
    """Operators between two cuts.

    Attributes:
        operators: In order.
        end: How many operators of the file lie before the cut.
    """

    operators: tuple[Operator, ...]
    end: int

    @property
    def name(self) -> str:
        """The operator that computes, and how many more there are."""
        chosen = next((o for o in self.operators if o.tensor_work), self.operators[-1])
        return chosen.name if len(self.operators) == 1 else f"{chosen.name} + {len(self.operators) - 1}"

    @property
    def kind(self) -> str:
        """Each kind once, in order."""
        return " + ".join(dict.fromkeys(o.kind for o in self.operators))

    @property
    def tensor_work(self) -> bool:
        """Whether some of it is."""
        return any(o.tensor_work for o in self.operators)


def segments(operators: Sequence[Operator], most: int = MOST) -> list[Segment]:
    """Cut wherever one may; if that gives too many, some neighbours go together, as few as will do.

    Args:
        operators: In the order they run.
        most: Segments at most.
    """
    groups = _atoms(operators)
    while len(groups) > most:
        i = min(range(len(groups) - 1), key=lambda at: _loss(groups[at], groups[at + 1]))
        groups[i : i + 2] = [[*groups[i], *groups[i + 1]]]
    found, end = [], 0
    for group in groups:
        end += len(group)
        found.append(Segment(tuple(group), end))
    return found


def _loss(left: Sequence[Operator], right: Sequence[Operator]) -> tuple[int, int]:
    """What joining two neighbours hides: little between non-tensor ones, most between tensor work and other work; then by length."""
    works = [any(o.tensor_work for o in group) for group in (left, right)]
    return (sum(works) if works[0] == works[1] else 3), len(left) + len(right)


def _atoms(operators: Sequence[Operator]) -> list[list[Operator]]:
    """Runs of operators that cannot be cut apart."""
    groups: list[list[Operator]] = [[]]
    for i, operator in enumerate(operators):
        groups[-1].append(operator)
        if operator.may_cut and i + 1 < len(operators):
            groups.append([])
    return [g for g in groups if g]
