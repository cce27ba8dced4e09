"""Is a pruned Graph equal to the zeroed one? Twelve nets, batch norm live and folded, every way of choosing widths, half the MACs.

python -m benchmarks.pruning_exactness [NET ...] [--again]
"""

import time
from functools import partial

from benchmarks.pruning_nets import DETECTORS, classifiers, cleaned, feeds
from benchmarks.results import Results, Row, again, wanted
from benchmarks.sources import work_folder
from exporter.channels.classes import channels_of
from exporter.cost.count import totals
from exporter.passes.run import fold
from exporter.pruning.proof import require_exact
from exporter.pruning.widths import Budget, Measure, Scope, plan_of

HALF = Budget(Measure.MACS, 0.5)
WAYS = [(form, scope) for form in ("live", "folded") for scope in Scope]
SAMPLES = 2


def measure(name: str, form: str, scope: Scope) -> Row:
    """Prune one net one way; raises where it is not exact."""
    graph = cleaned(name, work_folder())
    if form == "folded":
        fold(graph)
    start = time.perf_counter()
    channels_of(graph)
    grouped = time.perf_counter()
    plan = plan_of(graph, HALF, scope=scope)
    chosen = time.perf_counter()
    pruned = plan.apply()
    sliced = time.perf_counter()
    whole, left = totals(graph), totals(pruned)
    return {
        "rel": require_exact(graph, pruned, plan.removed, feeds(graph, SAMPLES)),
        "macs": left.macs / whole.macs,
        "params": left.params / whole.params,
        "group_s": grouped - start,
        "choose_s": chosen - grouped,
        "slice_s": sliced - chosen,
        "locked": [f"{lock.name}: {lock.reason}" for lock in plan.channels.locks],
    }


def main() -> None:
    """All nets, or those named."""
    results = Results("pruning_exactness", again=again())
    for name in wanted([*classifiers(), *DETECTORS]):
        for form, scope in WAYS:
            results.fill(f"{name} {form} {scope}", partial(measure, name, form, scope))


if __name__ == "__main__":
    main()
