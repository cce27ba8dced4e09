"""A Graph as a file in its engine, ready to be timed."""

from functools import partial
from pathlib import Path

import numpy as np

from exporter.array import Array
from exporter.formats import Tensor, load_writer
from exporter.formats.artifact import WriteOptions
from exporter.graph import Graph, shape_of
from exporter.latency import OpenEngine
from exporter.passes.run import clean, fold
from exporter.runtimes.run import open_engine
from exporter.runtimes.settings import runtime_options
from exporter.target import ENGINES

Side = tuple[OpenEngine, dict[str, Array]]
"""What `exporter.latency` times: how the engine is opened, and one sample by the file's own names."""


def written(graph: Graph, format: str, folder: Path, *, seed: int = 0) -> tuple[Path, dict[str, Array]]:
    """Write a Graph in float32 as a build would, cleaned and folded; the file, and one sample of noise by its own names.

    Args:
        graph: A float Graph; it stays as it is.
        format: "ncnn", "tflite" or "onnx".
        folder: Where the file goes; made if missing.
        seed: Of the noise.

    Raises:
        UnsupportedOpError: If the format cannot express a layer; names all of them.
    """
    finished = graph.clone()
    clean(finished)
    fold(finished)
    folder.mkdir(parents=True, exist_ok=True)
    made = load_writer(format).write(finished, folder, WriteOptions())
    shapes = {str(v.name): shape_of(v) for v in finished.model.graph.inputs}
    rng = np.random.default_rng(seed)
    whole = {p.name for p in finished.inputs if np.issubdtype(np.dtype(p.dtype), np.integer)}
    return made.path, {t.name: _noise(rng, t, shapes[t.graph_name], whole=t.graph_name in whole) for t in made.inputs}


def side(graph: Graph, format: str, folder: Path, *, threads: int = 1) -> Side:
    """Write a Graph, ready to be timed; arguments as in `written`.

    Raises:
        UnsupportedOpError: If the format cannot express a layer; names all of them.
    """
    path, feeds = written(graph, format, folder)
    engine = ENGINES[format]
    return partial(open_engine, engine, path, threads=threads, options=runtime_options(engine, "fp32")), feeds


def _noise(rng: np.random.Generator, tensor: Tensor, shape: tuple[int, ...], *, whole: bool) -> Array:
    """N(0, 1); zeros for an input that takes whole numbers, which may be indices."""
    return tensor.from_graph(np.zeros(shape) if whole else rng.standard_normal(shape))
