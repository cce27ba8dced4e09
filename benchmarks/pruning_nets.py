"""The nets that pruning is measured on, as cleaned Graphs with live batch norms."""

import os
from pathlib import Path

import numpy as np

from benchmarks.sources import keras_file, net_names
from exporter.array import Array
from exporter.graph import Graph, shape_of
from exporter.graph.files import load_graph, save_graph
from exporter.passes.run import clean
from exporter.sources.open import LoadOptions, open_source

DETECTORS = {"ultraface": "ultraface_320/version-slim-320.onnx", "fastestdet": "fastestdet_coco/FastestDet.onnx"}
"""Of the kit."""

FLOWERS = {"flowers_v2_0.35": "keras/st_flowers_mobilenet_v2_0.35_128/mobilenet_v2_0.35_128.h5"}
"""A small trained classifier of the kit."""


def classifiers() -> list[str]:
    """The nets of the issue: all of tests/nets.py but MobileNet V1."""
    return [name for name in net_names() if name != "mobilenet_v1"]


def kit() -> Path:
    """The folder of real models, $MEXPORT_KIT."""
    return Path(os.environ["MEXPORT_KIT"])


def cleaned(name: str, folder: Path) -> Graph:
    """A net's Graph, cleaned but not folded.

    Args:
        name: One of `classifiers`, DETECTORS or FLOWERS.
        folder: Where Graphs are kept, made once.
    """
    place = folder / f"{name}-graph"
    if not place.exists():
        ours = {**{n: f"onnx/{p}" for n, p in DETECTORS.items()}, **FLOWERS}
        path = kit() / "models" / ours[name] if name in ours else keras_file(name)
        with open_source(path, LoadOptions()) as source:
            graph = source.load()
        clean(graph)
        aside = folder / f"part-{name}-graph"
        aside.mkdir(exist_ok=True)
        save_graph(graph, aside)
        aside.rename(place)
    return load_graph(place)


def feeds(graph: Graph, count: int) -> dict[str, Array]:
    """Seeded picture-like noise for the one input: what the nets' batch norms were calibrated on."""
    from tests.nets import pictures

    value = graph.model.graph.inputs[0]
    channels, height, width = shape_of(value)[1:]
    x = pictures(count, (height, width, channels), seed=7)
    return {str(value.name): np.ascontiguousarray(x.transpose(0, 3, 1, 2))}
