"""Which figures our int8 files hold: losses within their limits, and none behind the best peer by more than a little."""

from dataclasses import dataclass

from benchmarks.int8_cases import CASES, Case
from benchmarks.int8_peers import PEERS
from benchmarks.ours import TARGETS
from benchmarks.results import Row, Rows

FEW = 150
"""Up to so many pictures, one picture stands for the allowance in points."""

ALLOWED_POINTS, ALLOWED_DB, ALLOWED_AGREEMENT = 0.2, 0.5, 2
NOISE = 1e-9
"""Of sums of fractions."""


@dataclass(frozen=True)
class Verdict:
    """One figure of one of our files.

    Attributes:
        name: The model.
        file_format: Of our file.
        figure: What is asked, in words and numbers.
        got: What we have, likewise; "pending" where there is no file.
        holds: Whether it is met; None while pending.
    """

    name: str
    file_format: str
    figure: str
    got: str
    holds: bool | None

    def line(self) -> str:
        """For the terminal."""
        word = {True: "holds", False: "FAILS", None: "pending"}[self.holds]
        return f"{word:7} {self.name} {self.file_format}: {self.figure}; got {self.got}"


def lost(row: Row, reference: Row) -> int:
    """Right answers fewer than the float file's; negative where more."""
    return int(reference["right"] - row["right"])


def points(row: Row, reference: Row) -> float:
    """The same in points of top-1."""
    return 100 * lost(row, reference) / int(reference["n"])


def verdicts(name: str, rows: Rows) -> list[Verdict]:
    """Every figure of a model for every format of ours; none before the float row is there."""
    reference = rows.get(f"{name} float", {})
    if "n" not in reference:
        return []
    found = []
    for file_format in TARGETS:
        row = rows.get(f"{name} ours {file_format}", {})
        row = {**row, "lost": lost(row, reference)} if "right" in row else row
        row = {**row, "float_op_count": len(row["float_ops"])} if "float_ops" in row else row
        found += [_verdict(name, file_format, row, ask) for ask in _asked(name, file_format, rows, reference)]
    return found


@dataclass(frozen=True)
class _Ask:
    """A number of a row, and the bound on it."""

    words: str
    key: str
    bound: float
    at_most: bool


def _asked(name: str, file_format: str, rows: Rows, reference: Row) -> list[_Ask]:
    """ncnn, whose grid is coarser, is held to its own limit only."""
    case = CASES[name]
    peers = [rows[key] for peer in PEERS if "n" in rows.get(key := f"{name} {peer}", {})]
    asks = _limit(case, file_format, reference)
    if file_format == "tflite":
        asks.append(_Ask("no operator computes in float", "float_op_count", 0, True))
    if file_format == "ncnn" or not peers:
        return asks
    if case.scored:
        best = min(lost(row, reference) for row in peers)
        allowed = 1 if reference["n"] <= FEW else ALLOWED_POINTS * reference["n"] / 100
        asks.append(_Ask(f"loses at most {best + allowed:g} answers of {reference['n']} (best peer {best})", "lost", best + allowed, True))
    else:
        asks.append(_at_least("SQNR", "sqnr_db", max(row["sqnr_db"] for row in peers)))
    if case.few_photos:
        best = max(row["agree"] for row in peers)
        least = best - ALLOWED_AGREEMENT
        asks.append(_Ask(f"agrees with float on at least {least} (best peer {best})", "agree", least, False))
        asks.append(_at_least("logit SQNR", "logit_sqnr_db", max(row.get("logit_sqnr_db", float("-inf")) for row in peers)))
    return asks


def _limit(case: Case, file_format: str, reference: Row) -> list[_Ask]:
    limit = case.max_lost and case.max_lost[file_format == "ncnn"]
    if limit is None:
        return []
    few = reference["n"] <= FEW
    answers = limit if few else limit * reference["n"] / 100
    return [_Ask(f"loses at most {limit:g} {'pictures' if few else 'points'}", "lost", answers, True)]


def _at_least(words: str, key: str, best: float) -> _Ask:
    return _Ask(f"{words} at least {best - ALLOWED_DB:.1f} dB (best peer {best:.1f})", key, best - ALLOWED_DB, False)


def _verdict(name: str, file_format: str, row: Row, ask: _Ask) -> Verdict:
    if ask.key not in row:
        return Verdict(name, file_format, ask.words, row.get("error", "pending")[:100], None)
    value = float(row[ask.key])
    holds = value <= ask.bound + NOISE if ask.at_most else value >= ask.bound - NOISE
    return Verdict(name, file_format, ask.words, f"{value:.4g}", holds)
