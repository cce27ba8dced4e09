"""Graphs quantized for ncnn, and what its int8 layers compute, in numpy's integers."""

from pathlib import Path

import numpy as np

from exporter.array import Array
from exporter.formats import ncnn
from exporter.formats.artifact import Artifact, Tensor, WriteOptions
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.qdq import Quantization, insert
from exporter.graph.strip import strip
from exporter.parity import sqnr_db
from exporter.quantization.assign import assign
from exporter.quantization.unshare import unshare
from exporter.runtimes.ncnn import Session
from exporter.runtimes.settings import runtime_options


def quantized(graph: Graph, inputs: dict[str, Array], keep_float: frozenset[str] = frozenset()) -> Graph:
    """The Graph with ncnn's pairs, scales from the largest numbers seen on the inputs."""
    points = unshare(graph, ncnn.points(graph, {}, keep_float))
    names = {name for group in points.groups for name in group.values}
    seen = evaluate(graph, inputs, sorted(names - set(inputs))) if names - set(inputs) else {}
    ranges = {name: (float(a.min()), float(a.max())) for name, a in {**seen, **inputs}.items()}
    return insert(graph, assign(graph, points, ranges))


def written(graph: Graph, folder: Path, precision: str = "int8", options: dict[str, bool] | None = None) -> tuple[Artifact, Session]:
    """The file of a quantized Graph, and the engine on it; by default with the options that the manifest gives it."""
    artifact = ncnn.write(graph, folder, WriteOptions(precision=precision))
    return artifact, Session(str(artifact.path), 1, runtime_options("ncnn", precision) if options is None else options)


def run(artifact: Artifact, session: Session, inputs: dict[str, Array], tensors: list[Tensor]) -> dict[str, Array]:
    """Tensors of the file for one sample, by Graph name; as the file has them, integers where it has integers."""
    feeds = {t.name: t.from_graph(inputs[t.graph_name]) for t in artifact.inputs}
    got = session.run(feeds, list(dict.fromkeys(t.name for t in tensors)))[1]
    return {t.graph_name: got[t.name] for t in tensors}


def worst_db(graph: Graph, artifact: Artifact, session: Session, inputs: dict[str, Array]) -> float:
    """The smallest signal-to-noise ratio of an output, in dB: file against quantized Graph; not-a-number stays so."""
    got = run(artifact, session, inputs, list(artifact.outputs))
    want = evaluate(graph, inputs)
    return min(sqnr_db(want[t.graph_name], t.to_graph(got[t.graph_name], want[t.graph_name].shape)) for t in artifact.outputs)


def lines(artifact: Artifact) -> list[tuple[str, int]]:
    """Type and parameter 8 of each layer of the file that has one."""
    split = [line.split() for line in artifact.path.read_text().splitlines()[2:]]
    kinds = ("Convolution", "ConvolutionDepthWise", "InnerProduct", "Convolution1D")
    return [(w[0], int(dict(p.split("=") for p in w if "=" in p and "," not in p).get("8", 0))) for w in split if w[0] in kinds]


def rounded(x: Array, scale: float) -> Array:
    """Reals to integers as ncnn does it: halves away from zero, -127 to 127."""
    r = x.astype(np.float64) / scale
    return np.clip(np.trunc(r + np.copysign(0.5, r)), -127, 127).astype(np.int64)


def near_half(x: Array, scale: float, relative: float) -> Array:
    """Where float rounding of that relative size can make the neighbouring integer of a real."""
    r = np.abs(x.astype(np.float64) / scale)
    return np.abs(r - np.floor(r) - 0.5) <= relative * (r + 1)


def convolved(x: Array, w: Array, *, group: int = 1, stride: int = 1, dilation: int = 1, pad: int = 0) -> Array:
    """Sums of products of integers: x (C, H, W), w (O, C / group, kh, kw)."""
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    outs, ins, kh, kw = w.shape
    height, width = ((n - (k - 1) * dilation - 1) // stride + 1 for n, k in ((x.shape[1], kh), (x.shape[2], kw)))
    y = np.zeros((outs, height, width), np.int64)
    for i in range(kh):
        for j in range(kw):
            rows = slice(i * dilation, i * dilation + (height - 1) * stride + 1, stride)
            columns = slice(j * dilation, j * dilation + (width - 1) * stride + 1, stride)
            part = x[:, rows, columns].reshape(group, ins, height, width)
            y += np.einsum("goi,gihw->gohw", w[:, :, i, j].reshape(group, outs // group, ins), part).reshape(y.shape)
    return y


def stored(graph: Graph, name: str) -> tuple[Array, Array]:
    """Integers of a weight, and its scales."""
    plain, how = strip(graph)
    array = plain.model.graph.initializers[name].const_value
    assert array is not None
    affine = how.constants[name]
    return affine.quantize(array.numpy()).astype(np.int64), affine.scale.astype(np.float64)


def scales(graph: Graph) -> dict[str, float]:
    """Scale of every rounded activation, by value name."""
    how: Quantization = strip(graph)[1]
    return {**{k: float(a.scale) for k, a in how.values.items()}, **{e.value: float(a.scale) for e, a in how.edges.items()}}
