"""Which samples calibrate, and what the manifest says of them."""

from typing import Any

from exporter.data import Dataset

MOST = 1024
"""Samples that calibrate, spread evenly over larger data sets."""


def chosen(data: Dataset) -> Dataset:
    """The samples that are used: all, or `MOST` spread over them."""
    return data.some(MOST)


def facts(data: Dataset) -> dict[str, Any]:
    """For the manifest: {samples, sha256, names}; the hash is over names, contents and labels."""
    return {"samples": len(data), "sha256": data.sha256, "names": list(data.names)}
