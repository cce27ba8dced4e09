"""For the manifest: of every rounded value, the range that its integers span beside the range that was seen."""

from typing import Any

import numpy as np

from exporter.formats.points import Range
from exporter.graph.qdq import Affine
from exporter.quantization.histogram import Histogram
from exporter.quantization.layers import spanned
from exporter.quantization.outcome import Quantized

FIXED = "fixed by the engine"
"""In place of a calibrator's name, where nothing was chosen."""


def range_facts(result: Quantized) -> list[dict[str, Any]]:
    """One entry a rounded value, in the order of the statistics: calibrator, ranges, scale, and the share of elements cut off."""
    how = result.draft.quantization
    rounded = {**{edge.value: numbers for edge, numbers in how.edges.items()}, **how.values}
    seen = result.draft.statistics.values
    return [_facts(name, rounded[name], h, result.report.calibrators.get(name, FIXED)) for name, h in seen.items() if name in rounded]


def _facts(name: str, how: Affine, h: Histogram, calibrator: str) -> dict[str, Any]:
    used, half = spanned(how), float(how.scale) / 2
    return {
        "value": name, "calibrator": calibrator, "dtype": how.dtype, "scale": float(how.scale), "zero_point": int(how.zero_point),
        "seen": [float(x) for x in h.seen], "used": list(used), "saturated": saturated(h, (used[0] - half, used[1] + half)),
    }  # fmt: skip


def saturated(h: Histogram, used: Range) -> float:
    """Share of all elements that lie beyond a range, 0..1; elements are taken as evenly spread within a bin.

    What is less than half a step beyond the numbers' range is rounded as everything else is, not cut off.
    """
    total = int(h.counts.sum())
    if not total:
        return 0.0
    sums = np.concatenate([[0], np.cumsum(h.counts)])
    edges = np.linspace(*h.edges, len(sums))
    low, high = max(used[0], h.seen[0]), min(used[1], h.seen[1])
    below = float(np.interp(low, edges, sums)) if used[0] > h.seen[0] else 0.0
    above = total - float(np.interp(high, edges, sums)) if used[1] < h.seen[1] else 0.0
    return min(max((below + above) / total, 0.0), 1.0)
