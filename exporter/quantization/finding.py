"""What the linter of calibration data hands back."""

from dataclasses import dataclass

REFUSE, WARN = "refuse", "warn"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about calibration data.

    Attributes:
        severity: "refuse" or "warn".
        kind: In a word or two, e.g. "too few".
        message: What was found, with its number.
        remedy: One next step.
    """

    severity: str
    kind: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}"


def refuse(kind: str, message: str, remedy: str) -> Finding:
    """Data that must not be used, unless the user insists."""
    return Finding(REFUSE, kind, message, remedy)


def warn(kind: str, message: str, remedy: str) -> Finding:
    """Data that may be used."""
    return Finding(WARN, kind, message, remedy)
