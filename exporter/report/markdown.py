"""Small pieces of Markdown."""

from collections.abc import Iterable, Sequence

KIB = 1024


def table(head: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[int] = ()) -> str:
    """A table; the columns of `right` are numbers, set to the right."""
    numeric = set(right)
    rule = ["---:" if i in numeric else "---" for i in range(len(head))]
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def size(count: float) -> str:
    """Bytes in words, e.g. "3.42 MiB"."""
    amount, unit = float(count), "B"
    for bigger in ("KiB", "MiB", "GiB"):
        if amount < KIB:
            break
        amount, unit = amount / KIB, bigger
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.2f} {unit}"


def count(value: float) -> str:
    """A large number with its thousands set apart."""
    return f"{value:,.0f}"


def numbers(values: Sequence[float]) -> str:
    """A list of numbers as short as they are exact enough: 9 digits hold every float32."""
    return ", ".join(f"{v:.9g}" for v in values)


def code(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text.strip()}\n```"
