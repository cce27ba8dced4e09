"""The smallest removals that leave each group of a grouped convolution equally many channels.

Non-negative integer solutions r of A r = 0 that are no sum of others, found by growing vectors one step at a time, only in directions that
lead back towards 0. Source: Contejean and Devie 1994, https://doi.org/10.1006/inco.1994.1067.
"""

import numpy as np

from exporter.array import Array

WIDEST = 300
"""Vectors that are grown at once: beyond it those farthest from 0 are left out, and with them perhaps a solution, never a right answer."""

LARGEST = 48
"""Steps of growth: larger bundles than this are of no use."""


def bundles(unequal: Array, have: Array) -> Array:
    """Minimal solutions.

    Args:
        unequal: A, int64 (constraints, strata); without constraints every stratum is a bundle of its own.
        have: Upper bounds, int64 (strata,).

    Returns:
        int64 (bundles, strata).
    """
    units = np.eye(len(have), dtype=np.int64)
    system = np.unique(unequal[unequal.any(1)], axis=0)
    found: list[Array] = []
    grown = [u for u, room in zip(units, have, strict=True) if room]
    for _ in range(LARGEST):
        found += [v for v in grown if not (system @ v).any()]
        open_ends = sorted((v for v in grown if (system @ v).any()), key=lambda v: int(np.square(system @ v).sum()))[:WIDEST]
        grown = _grow(system, open_ends, have, np.array(found).reshape(-1, len(have)))
        if not grown:
            break
    return np.array(found, np.int64).reshape(-1, len(have))


def _grow(system: Array, ends: list[Array], have: Array, found: Array) -> list[Array]:
    """Each vector with one more in every direction that leads back, but for those that hold a solution already."""
    wider: dict[bytes, Array] = {}
    for v in ends:
        towards = (system @ v) @ system
        for t in np.flatnonzero((towards < 0) & (v < have)):
            longer = v.copy()
            longer[t] += 1
            if not (found <= longer).all(1).any():
                wider[longer.tobytes()] = longer
    return list(wider.values())
