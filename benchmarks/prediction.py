"""How far predictions are off on nets that the fit had not seen: `python -m benchmarks.prediction` writes results/prediction.json.

Protocol: a net is taken out of every table of its core, constants are fitted to what is left, and the net is predicted for each device that
published it. A table's error is the mean of |prediction / time - 1| over its nets, time being the published minimum of one thread. Which
columns are weighed, and how strongly devices of a core are held together, was chosen by these very errors, as docs/decisions/0025 tells.
"""

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.markdown import table
from benchmarks.results import FOLDER
from exporter.array import Array
from exporter.cost.prediction.counted import NetCount
from exporter.cost.prediction.evaluate import FIRST, Columns, Errors, evaluate
from exporter.cost.prediction.model import MILLION, STRENGTH, net_cost
from exporter.cost.prediction.published import published

FREE = 0.0
"""Strength of no draw: every device alone."""

PLACE, NESTED = FOLDER / "prediction.json", FOLDER / "prediction_nested.json"


def _sum(*names: str) -> Columns:
    """Columns that are plain sums over layers."""
    return lambda net, core: np.array([getattr(net.whole(), name) / MILLION for name in names])


def _macs(net: NetCount, core: str) -> Array:
    return np.array([net.macs() / MILLION])


def ours(net: NetCount, core: str) -> Array:
    """What is shipped."""
    return net_cost(net, core)


WAYS: dict[str, tuple[Columns, float]] = {
    "MACs, one constant": (_macs, FREE),
    "instructions, one constant": (_sum("total"), FREE),
    "instructions, lines": (_sum("total", "l1_misses", "l2_misses"), STRENGTH),
    "classes, lines": (_sum("simd_fp", "load_store", "branch", "l1_misses", "l2_misses"), STRENGTH),
    "ours, every device alone": (ours, FREE),
    "ours, one shape a core": (ours, 1e6),
    "ours": (ours, STRENGTH),
}


CHOICES = {
    "all six": range(6), "without non-tensor work": range(5), "without issue slots": (1, 2, 3, 4, 5), "without branches": (0, 1, 3, 4, 5),
    "without the second level's lines": (0, 1, 2, 4, 5), "without memory's lines": (0, 1, 2, 3, 5), "instructions and lines": (1, 3, 4),
}  # fmt: skip
"""Sets of our columns that the choice is among."""


def _some(chosen: Sequence[int]) -> Columns:
    return lambda net, core: net_cost(net, core)[list(chosen)]


def nested() -> dict[str, Any]:
    """The choice of columns made anew for each net, from the others alone: what choosing by held-out errors flatters."""
    whole = {name: evaluate(_some(chosen), STRENGTH, fitted=FIRST) for name, chosen in CHOICES.items()}
    found: dict[str, dict[str, float]] = {}
    picked: dict[str, str] = {}
    for net in FIRST:
        rest = [n for n in FIRST if n != net]
        means = {name: _mean(evaluate(_some(chosen), STRENGTH, fitted=rest)) for name, chosen in CHOICES.items()}
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
        NESTED.write_text(json.dumps(facts, indent=1) + "\n")
        print(json.dumps(facts, indent=1))
        return
    rows: dict[str, Any] = {}
    for name, (columns, strength) in WAYS.items():
        rows[name] = _row(partial(_judge, columns, strength))
        print(f"{name}: {rows[name]['first']['median']} {rows[name]['first']['worst']}", flush=True)
    rows["ours, families held out"] = _row(partial(_judge, ours, STRENGTH, families=True))
    facts = {
        "protocol": __doc__.split("Protocol: ")[1].replace("\n", " ").strip(),
        "strength": STRENGTH,
        "rows": rows,
        "devices": _devices(),
    }
    PLACE.write_text(json.dumps(facts, indent=1) + "\n")
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


def page(facts: dict[str, Any]) -> str:
    """The tables of the benchmarks' page."""
    lines = [
        [name, *(f"{row[group][which]:.1f}" for group in ("first", "first_fitted_to_all", "all") for which in ("median", "worst"))]
        for name, row in facts["rows"].items()
    ]
    heads = ["way", "22 nets, median", "worst", "22 of all, median", "worst", "all nets, median", "worst"]
    devices = sorted(facts["devices"], key=lambda d: (facts["devices"][d]["core"], d))
    ours = facts["rows"]["ours"]
    errors = [
        [d, facts["devices"][d]["core"], f"{ours['first']['tables'][d]:.1f}", f"{ours['all']['tables'][d]:.1f}",
         str(len(facts["devices"][d]["nets"]))] for d in devices
    ]  # fmt: skip
    return table(heads, lines) + "\n" + table(["device", "core", "22 nets", "all nets", "nets"], errors)


if __name__ == "__main__":
    main()
