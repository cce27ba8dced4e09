"""Training with rounded numbers as a stage of a build, after quantization: kept in the store, so that a killed build goes on with it."""

from exporter.building.options import BuildOptions

SUGGESTED = "--qat MINUTES --train DATA trains it with rounded numbers"
"""Part of hints where int8 loses too much."""


def suggestion(given: BuildOptions) -> str:
    """What to try where int8 loses too much: training, or more of it."""
    return SUGGESTED if given.qat is None else f"more minutes than --qat {given.qat:g}, or more pictures to train with"
