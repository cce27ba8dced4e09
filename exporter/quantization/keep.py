"""Statistics in the store: one .npz a Graph and set of samples."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array, save_arrays
from exporter.data import Dataset
from exporter.graph import Graph
from exporter.graph.evaluate import serialise
from exporter.quantization.histogram import Histogram, Statistics
from exporter.store import Store

FILE = "statistics.npz"


def kept(store: Store | None, graph: Graph, data: Dataset, make: Callable[[], Statistics]) -> Statistics:
    """What the store has, else what `make` gives, which is stored then."""
    if store is None:
        return make()
    key = store.key("calibration", graph=graph_sha256(graph), samples=data.sha256, preprocessing=data.prep, tools=_versions())
    found = store.get("calibration", key)
    if found is not None:
        return load(found / FILE)
    statistics = make()
    with store.put("calibration", key) as folder:
        save(statistics, folder / FILE)
    return statistics


def graph_sha256(graph: Graph) -> str:
    """Over everything that a Graph computes with: nodes, names and weights."""
    proto, weights = serialise(graph, [])
    digest = hashlib.sha256(proto)
    for name, array in sorted(weights.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.data)  # in place: a copy of big weights would count
    digest.update(repr((graph.inputs, graph.outputs)).encode())
    return digest.hexdigest()


def save(statistics: Statistics, path: Path) -> None:
    """Write statistics to a file."""
    found = list(statistics.values.values())
    parts = {
        "names": np.array(list(statistics.values)), "samples": np.array(statistics.samples),
        "sizes": np.array([len(h.counts) for h in found]), "counts": np.concatenate([h.counts for h in found]),
        "ranges": np.array([(*h.edges, *h.seen, *h.mean) for h in found], np.float64), "infinite": np.array([h.infinite for h in found]),
    }  # fmt: skip
    save_arrays(path, parts)


def load(path: Path) -> Statistics:
    """Read what `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        parts: dict[str, Array] = {name: stored[name] for name in stored.files}
    counts = np.split(parts["counts"], np.cumsum(parts["sizes"])[:-1])
    rows = zip(parts["names"], counts, parts["ranges"], parts["infinite"], strict=True)
    return Statistics({str(name): _histogram(c, r, int(i)) for name, c, r, i in rows}, int(parts["samples"]))


def _histogram(counts: Array, ranges: Any, infinite: int) -> Histogram:
    a, b, c, d, e, f = (float(x) for x in ranges)
    return Histogram(counts, (a, b), (c, d), (e, f), infinite)


def _versions() -> dict[str, str]:
    import onnxruntime

    return {"onnxruntime": str(onnxruntime.__version__), "numpy": np.__version__}
