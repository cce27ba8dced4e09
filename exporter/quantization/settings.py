"""What is asked of a quantization."""

from dataclasses import dataclass

AUTO = "auto"
"""The calibrator that is a choice among all of them, by measured output error."""

REPAIRS = ("none", "default", "thorough")
"""How much is repaired: nothing, what a count of work allows, all."""


@dataclass(frozen=True, slots=True)
class QuantizeSettings:
    """What is asked.

    Attributes:
        calibrator: "auto", or a name of `calibrators.CALIBRATORS`.
        repair: One of `REPAIRS`.
        precision: "int8", or "mixed": layers may go back to float.
        min_sqnr_db: What a mixed precision must hold: SQNR of the outputs.
        top1_drop: Likewise: share of samples, 0 to 1, whose best class may change.
        seed: Of everything random.
        keep_float: Layers (names of first outputs) that stay float, whatever they cost.
    """

    calibrator: str = AUTO
    repair: str = "default"
    precision: str = "int8"
    min_sqnr_db: float | None = None
    top1_drop: float | None = None
    seed: int = 0
    keep_float: frozenset[str] = frozenset()
