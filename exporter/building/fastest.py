"""`--fastest`: every allowed precision built and timed turn by turn; the fastest that holds its limits is kept.

This host's times are native ones. They decide for a target that is this kind of computer; for a phone's target they are written down and
decide nothing (docs/decisions/0012).
"""

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.building.clock import Clock
from exporter.building.common import Common
from exporter.building.deliver import Outcome, delivered, make
from exporter.building.options import CALIBRATED
from exporter.building.order import Order, identity, settled
from exporter.building.precision import settle
from exporter.bundle import Bundle, Manifest, write_bundle
from exporter.disk import Scratch
from exporter.errors import MexportError, UsageError
from exporter.fingerprint import fingerprint
from exporter.formats import Artifact, load_writer
from exporter.latency import Versus, versus
from exporter.proving.subject import Subject, bundled
from exporter.recipe import Recipe
from exporter.report import documents
from exporter.target import Target

ALLOWED = ("fp32", "fp16", "int8", "mixed")
"""Precisions that are tried, where the format has them; the last two with calibration data."""

PAIRS, PROCESSES = 200, 5
"""Interleaved pairs of runs of a comparison, and pairs of processes that they are spread over."""

DESKTOP = "x86_64"
"""The ABI that no phone target has: a host of it decides for its own kind."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One precision, built and proved: its order, file, facts, and what runs it."""

    order: Order
    artifact: Artifact
    facts: Manifest
    subject: Subject


def orders(common: Common, target: Target, recipe: Recipe) -> list[Order]:
    """What is tried for a target: the precision that is kept where nothing is decided comes first.

    Raises:
        UsageError: If a precision is asked by name: then there is nothing to choose.
    """
    given = common.options
    if given.precision is not None:
        raise UsageError(f"--fastest chooses the precision, and --precision {given.precision} is given", hint="leave one of them out")
    known = load_writer(target.format).PRECISIONS
    usual = settle(common, target)
    tried = [p for p in ALLOWED if p in known and (p not in CALIBRATED or given.calibration is not None)]
    found = [settled(common, target, recipe, p) for p in dict.fromkeys([usual, *tried])]
    key = fingerprint(fastest=[o.build_key for o in found], decides=decides(target))
    return [replace(o, build_key=key) for o in found]


def decides(target: Target) -> bool:
    """Whether this host's times may choose for a target."""
    return target.abi == DESKTOP and platform.machine() == DESKTOP


def deliver_fastest(common: Common, tried: Sequence[Order]) -> Outcome:
    """Build, prove and time all; bundle one.

    Raises:
        MexportError: If none holds its limits, or for a phone the usual one does not: its own error.
    """
    first = tried[0]
    kept: list[Candidate] = []

    def fill(folder: Path) -> Manifest:
        with Scratch() as place:
            built, lost = _built(common, tried, Path(place))
            compared = {c.order.precision: _timed(common, built[0], c) for c in built[1:]}
            winner = _winner(built, compared) if decides(first.target) else built[0]
            shutil.copytree(winner.artifact.path.parent, folder, dirs_exist_ok=True)
        kept.append(winner)
        said = [_words(common, built, compared, winner), *lost]
        numbers = [*winner.facts["numbers"], *_numbers(built[0], compared)]
        return {**winner.facts, "numbers": numbers, "notes": [*winner.facts["notes"], *said]}

    write_bundle(first.folder, fill, identity=identity(common, first), documents=documents, force=common.options.force)
    return delivered(kept[0].order, kept[0].artifact, kept[0].facts)


def _built(common: Common, tried: Sequence[Order], place: Path) -> tuple[list[Candidate], list[str]]:
    """Those that hold their limits, and what kept the others out. For a phone, the usual one must be among them."""
    built, lost, errors = [], [], []
    for order in tried:
        folder = place / order.precision
        folder.mkdir()
        try:
            artifact, facts = make(common, order, folder, Clock(parent=common.clock))
        except MexportError as problem:
            if order is tried[0] and not decides(order.target):
                raise
            errors.append(problem)
            lost.append(f"--fastest: {order.precision} is out: {problem.message}")
            continue
        built.append(Candidate(order, artifact, facts, bundled(Bundle(folder, facts))))
    if not built:
        raise errors[0]
    return built, lost


def _timed(common: Common, base: Candidate, other: Candidate) -> Versus:
    a, b, seed = base.subject, other.subject, common.options.seed
    names = f"timing {other.order.precision} against {base.order.precision}"
    with common.console.progress(names, PAIRS) as tick:
        return versus((a.open, a.noise(seed)), (b.open, b.noise(seed)), pairs=PAIRS, process_pairs=PROCESSES, seed=seed, tick=tick)


def _winner(built: list[Candidate], compared: dict[str, Versus]) -> Candidate:
    """The one with the lowest ratio of medians whose interval lies below 1; else the first."""
    faster = [c for c in built[1:] if compared[c.order.precision].high < 1]
    return min(faster, key=lambda c: compared[c.order.precision].ratio, default=built[0])


def _words(common: Common, built: list[Candidate], compared: dict[str, Versus], winner: Candidate) -> str:
    base, target = built[0].order.precision, winner.order.target
    ratios = [f"{p} {v.ratio:.2f} [{v.low:.2f}, {v.high:.2f}] times as long as {base}" for p, v in compared.items()]
    seen = "; ".join(ratios) or f"nothing but {base} could be built"
    if decides(target):
        return f"--fastest: {winner.order.precision} is kept as the fastest on this host: {seen} (native)"
    said = (
        f"--fastest: this host's times are native ones and decide nothing for {target.name}: {base} is kept, as without --fastest; "
        f"here {seen}"
    )
    common.console.warn(said)
    return said


def _numbers(base: Candidate, compared: dict[str, Versus]) -> list[dict[str, Any]]:
    """Median times of all, and the ratios."""
    order = base.order
    shared = {"kind": "native", "engine": order.target.runtime, "on": "host"}
    found: list[dict[str, Any]] = []
    for precision, v in compared.items():
        times = {precision: v.b_ms, **({} if found else {order.precision: v.a_ms})}
        for name, ms in times.items():
            median = sorted(ms)[len(ms) // 2]
            found.append({"name": f"latency_{name}", "value": median, "unit": "ms", **shared, "n": len(ms), "statistic": "median"})
        ratio = {"ratio of medians": v.ratio, "low end of 95 %": v.low, "high end of 95 %": v.high}
        found += [{"name": f"ratio_{precision}_{order.precision}", "value": value, "unit": "1", **shared, "n": len(v.b_ms),
                   "statistic": statistic} for statistic, value in ratio.items()]  # fmt: skip
    return found
