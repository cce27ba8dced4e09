"""What tests of int8 builds share."""

from exporter.bundle import read_bundle

QUICK = ("--calibrator", "minmax", "--repair", "none")
"""What spares a test the search for better numbers."""


def facts_of(out, target, name="fashion"):
    return read_bundle(out / f"{name}--{target}").manifest
