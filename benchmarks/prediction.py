"""How far predictions are off on nets that the fit had not seen: `python -m benchmarks.prediction` writes results/prediction.json.

Protocol: a net is taken out of every table of its core, constants are fitted to what is left, and the net is predicted for each device that
published it. A table's error is the mean of |prediction / time - 1| over its nets, time being the published minimum of one thread. Which
columns are weighed, and how strongly devices of a core are held together, was chosen by these very errors, as docs/decisions/0025 tells.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.markdown import table
from benchmarks.results import FOLDER, Rows, machine
from exporter.array import Array
from exporter.cost.prediction.counted import NetCount, counted
from exporter.cost.prediction.evaluate import FIRST, Columns, Errors, evaluate
from exporter.cost.prediction.model import MILLION, STRENGTH, core_model, net_cost
from exporter.cost.prediction.predict import INT8, band, pair_ratios
from exporter.cost.prediction.published import published

FREE = 0.0
"""Strength of no draw: every device alone."""

INTRO = """## Predicted latency

Mean of abs(prediction / time - 1) over the nets of a published table, in percent, each net left out of every table of its core before it is
predicted; median and worst of the fourteen tables. First on the 22 nets of an earlier experiment, fitted to these alone; then on them, and
on all, fitted to all that were counted. Times are the published ones of ncnn's benchmark, one thread.
[Decision 25](decisions/0025-time-from-counts.md).
"""

PLACE, NESTED = FOLDER / "prediction.json", FOLDER / "prediction_nested.json"


def _sum(*names: str) -> Columns:
    """Columns that are plain sums over layers."""
    return lambda net, core: np.array([getattr(net.whole(), name) / MILLION for name in names])


def _macs(net: NetCount, core: str) -> Array:
    return np.array([net.macs() / MILLION])


def ours(net: NetCount, core: str) -> Array:
    """What is shipped."""
    return net_cost(net, core)


ISSUE, TOTAL, BRANCH, FIRST_LEVEL, MEMORY, BESIDE = range(6)
"""Our columns."""


def _some(*chosen: int) -> Columns:
    return lambda net, core: net_cost(net, core)[list(chosen)]


WAYS: dict[str, tuple[Columns, float]] = {
    "multiply-accumulates, one constant": (_macs, FREE),
    "instructions, one constant": (_some(TOTAL), FREE),
    "instructions, lines": (_some(TOTAL, FIRST_LEVEL, MEMORY), STRENGTH),
    "classes, lines": (_sum("simd_fp", "load_store", "branch", "l1_misses", "l2_misses"), STRENGTH),
    "issue, instructions, lines": (_some(ISSUE, TOTAL, FIRST_LEVEL, MEMORY), STRENGTH),
    "issue, instructions, branches, lines": (_some(ISSUE, TOTAL, BRANCH, FIRST_LEVEL, MEMORY), STRENGTH),
    "all six (shipped)": (ours, STRENGTH),
    "all six, every device alone": (ours, FREE),
    "all six, one shape a core": (ours, 1e6),
}


CHOICES = {
    "all six": (ISSUE, TOTAL, BRANCH, FIRST_LEVEL, MEMORY, BESIDE),
    "without non-tensor work": (ISSUE, TOTAL, BRANCH, FIRST_LEVEL, MEMORY),
    "without issue slots": (TOTAL, BRANCH, FIRST_LEVEL, MEMORY, BESIDE),
    "without branches": (ISSUE, TOTAL, FIRST_LEVEL, MEMORY, BESIDE),
    "without the second level's lines": (ISSUE, TOTAL, BRANCH, MEMORY, BESIDE),
    "without memory's lines": (ISSUE, TOTAL, BRANCH, FIRST_LEVEL, BESIDE),
    "instructions and lines": (TOTAL, FIRST_LEVEL, MEMORY),
}
"""Sets of our columns that the choice is among."""


def nested() -> dict[str, Any]:
    """The choice of columns made anew for each net, from the others alone: what choosing by held-out errors flatters."""
    whole = {name: evaluate(_some(*chosen), STRENGTH, fitted=FIRST) for name, chosen in CHOICES.items()}
    found: dict[str, dict[str, float]] = {}
    picked: dict[str, str] = {}
    for net in FIRST:
        rest = [n for n in FIRST if n != net]
        means = {name: _mean(evaluate(_some(*chosen), STRENGTH, fitted=rest)) for name, chosen in CHOICES.items()}
        picked[net] = min(means, key=lambda name: means[name])
        for device, errors in whole[picked[net]].by_device.items():
            if net in errors:
                found.setdefault(device, {})[net] = errors[net]
    return {"choices": {name: _numbers(e) for name, e in whole.items()}, "picked": picked, "nested": _numbers(Errors(found))}


def _mean(errors: Errors) -> float:
    return float(np.mean(list(errors.tables().values())))


def main() -> None:
    """Judge every way, and write what was found; `--nested` chooses the columns anew inside each fold, which takes minutes."""
    if "--nested" in sys.argv[1:]:
        facts = nested()
        _write(NESTED, facts)
        print(json.dumps(facts, indent=1))
        return
    rows: dict[str, Any] = {}
    for name, (columns, strength) in WAYS.items():
        rows[name] = _row(partial(_judge, columns, strength))
        print(f"{name}: {rows[name]['first']['median']} {rows[name]['first']['worst']}", flush=True)
    rows["all six, families held out"] = _row(partial(_judge, ours, STRENGTH, families=True))
    facts = {
        "protocol": __doc__.split("Protocol: ")[1].replace("\n", " ").strip(),
        "strength": STRENGTH,
        "rows": rows,
        "devices": _devices(),
        "int8": _answers(),
    }
    _write(PLACE, facts)
    print(page(facts))


def _judge(columns: Columns, strength: float, fitted: tuple[str, ...], *, families: bool = False) -> Errors:
    return evaluate(columns, strength, fitted=fitted, families=families)


def _row(judge: Callable[[tuple[str, ...]], Errors]) -> dict[str, Any]:
    """Errors on the 22 nets of the first experiment, fitted to these alone; on them, fitted to all; and on all."""
    first, every = judge(FIRST), judge(())
    return {"first": _numbers(first), "first_fitted_to_all": _numbers(every.of(FIRST)), "all": _numbers(every)}


def _numbers(errors: Errors) -> dict[str, Any]:
    tables = {device: round(100 * e, 2) for device, e in sorted(errors.tables().items())}
    return {"median": round(100 * errors.median, 2), "worst": round(100 * errors.worst, 2), "tables": tables}


def _devices() -> dict[str, Any]:
    """Every held-out error of what is shipped, in percent."""
    found = evaluate(ours, STRENGTH).by_device
    return {d: {"core": published().devices[d].core, "nets": {n: round(100 * e, 1) for n, e in nets.items()}} for d, nets in found.items()}


def _answers() -> dict[str, Any]:
    """Whether int8 was faster, asked of every net that is published both ways; each net and its pair's band held out."""
    found = {"right": 0, "wrong": 0, "too close to tell": 0}
    for core in counted():
        model = core_model(core)
        for device, ratios in model.ratios.items():
            times, pairs = published().devices[device].ms, pair_ratios(ratios)
            for net, off in pairs.items():
                truth = times[net + INT8] / times[net]
                low, high = (edge * truth / off for edge in band([r for n, r in pairs.items() if n != net]))
                faster = None if low <= 1 <= high else high < 1
                found["too close to tell" if faster is None else "right" if faster == (truth < 1) else "wrong"] += 1
    return found


def _write(place: Path, facts: dict[str, Any]) -> None:
    place.write_text(json.dumps({"machine": machine(), "rows": facts}, indent=1) + "\n")


def page(facts: Rows) -> str:
    """The section of the benchmarks' page."""
    lines = [
        [name, *(f"{row[group][which]:.1f}" for group in ("first", "first_fitted_to_all", "all") for which in ("median", "worst"))]
        for name, row in facts["rows"].items()
    ]
    heads = ["way", "22 nets, median", "worst", "22 of all, median", "worst", "all nets, median", "worst"]
    devices = sorted(facts["devices"], key=lambda d: (facts["devices"][d]["core"], d))
    ours = facts["rows"]["all six (shipped)"]
    errors = [
        [d, facts["devices"][d]["core"], f"{ours['first']['tables'][d]:.1f}", f"{ours['all']['tables'][d]:.1f}",
         str(len(facts["devices"][d]["nets"]))] for d in devices
    ]  # fmt: skip
    asked = ", ".join(f"{count} {words}" for words, count in facts["int8"].items())
    parts = [
        INTRO, table(heads, lines), table(["device", "core", "22 nets", "all nets", "nets"], errors),
        f"Is int8 faster there? Asked of {sum(facts['int8'].values())} published pairs, held out: {asked}.\n",
    ]  # fmt: skip
    return "\n".join(parts)


if __name__ == "__main__":
    main()
