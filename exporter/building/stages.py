"""The common stages of a build, of `verify --layers` and of `inspect`: a source to a Graph, samples and reference outputs.

What takes long is cached in the store; a key holds the source's sha256, every setting and the tools.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from exporter.array import Array, save_arrays
from exporter.building.versions import identity, source_key
from exporter.cost.count import totals
from exporter.data import InputSpec
from exporter.errors import MexportError, SourceError
from exporter.graph import Graph, Port, shape_of
from exporter.graph.carry import carry
from exporter.graph.files import load_graph
from exporter.graph.qdq import Quantization
from exporter.graph.strip import is_quantized, strip
from exporter.passes.run import clean, fold
from exporter.sources.open import FrameworkSource, LoadOptions, Source
from exporter.store import Store

Step = dict[str, Any]
"""One entry of the manifest's `steps`."""


def raw_graph(source: Source, options: LoadOptions, store: Store) -> Graph:
    """The source as a Graph; from the store where a framework would have to start. An .onnx is read afresh, which is quicker."""
    if not isinstance(source, FrameworkSource):
        return _told(source, source.load)
    key = source_key(source.info.sha256, options, store)
    found = store.get("graph", key)
    if found is None:
        with store.put("graph", key) as folder:
            return _told(source, lambda: source.load_into(folder))
    graph = load_graph(found)
    graph.name = source.name
    return graph


def _told(source: Source, load: Callable[[], Graph]) -> Graph:
    """Load; what another project's reader says about a damaged file becomes a sentence of ours."""
    try:
        return load()
    except (MexportError, OSError, MemoryError):
        raise
    except Exception as problem:
        said = (str(problem).strip() or "no message").splitlines()[0][:300]
        raise SourceError(
            f"{source.info.path.name} cannot be read: {type(problem).__name__}: {said}",
            hint="the file may be damaged: fetch or export it again; -v shows where reading stopped",
        ) from problem


def finished_graph(raw: Graph) -> tuple[Graph, list[Step]]:
    """The float Graph that files are written from, cleaned and folded on a clone that shares the weights; and what was done.

    Of a quantized source, the numbers that its integers stand for; not folded where that would make other numbers of them.
    """
    graph, rounding = strip(raw) if is_quantized(raw) else (raw.clone(), Quantization())
    steps = [_step(graph, "clean", clean)]
    folded = graph.clone()
    steps.append(_step(folded, "fold", fold))
    if len(carry(rounding, folded).constants) < len(carry(rounding, graph).constants):
        return graph, steps[:1]
    return folded, steps


def cleaned_graph(raw: Graph) -> tuple[Graph, Step]:
    """The Graph that compression works on, batch norms live, on a clone that shares the weights; and what was done."""
    graph = raw.clone()
    return graph, _step(graph, "clean", clean)


def folded_graph(graph: Graph) -> tuple[Graph, Step]:
    """A cleaned Graph finished, on a clone that shares the weights; and what was done."""
    folded = graph.clone()
    clean(folded)  # smaller tensors may have made something idle
    return folded, _step(folded, "fold", fold)


def _step(graph: Graph, name: str, phase: Callable[[Graph], dict[str, int]]) -> Step:
    before, start = totals(graph).as_dict(), time.perf_counter()
    changes = phase(graph)
    seconds = time.perf_counter() - start
    return {"pass": name, "settings": {"changes": changes}, "before": before, "after": totals(graph).as_dict(), "seconds": seconds}


def reference(source: Source, options: LoadOptions, inputs: Mapping[str, Array], store: Store) -> dict[str, Array]:
    """Outputs of the untouched source in its own framework, by source name and layout; from the store where they are known.

    Args:
        source: The opened source.
        options: What it was opened with.
        inputs: By source name, in the source's layout, axis 0 counts samples.
        store: Where they are kept.
    """
    key = store.key("reference", inputs=sha256_of(inputs), **identity(source.info.sha256, replace(options, name=None)))
    found = store.get("reference", key)
    if found is not None:
        with np.load(found / "outputs.npz", allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    outputs = source.reference(dict(inputs))
    with store.put("reference", key) as folder:
        save_arrays(folder / "outputs.npz", outputs)
    return outputs


def sha256_of(arrays: Mapping[str, Array]) -> str:
    """Of names, types, shapes and contents."""
    digest = hashlib.sha256()
    for name, x in sorted(arrays.items()):
        digest.update(f"{name} {x.dtype} {x.shape} ".encode())
        digest.update(np.ascontiguousarray(x).data)
    return digest.hexdigest()


def source_shape(graph: Graph, port: Port) -> tuple[int, ...]:
    """The port's shape in the source's layout, 1 on the batch axis."""
    value = next(v for v in (*graph.model.graph.inputs, *graph.model.graph.outputs) if v.name == port.name)
    return tuple(np.asarray(shape_of(value))[np.argsort(port.perm)].tolist()) if port.perm else ()


def input_specs(graph: Graph) -> tuple[InputSpec, ...]:
    """What the data of each input must look like; only a finished graph tells pictures that are channels last in an ONNX source."""
    return tuple(InputSpec(p.source_name, source_shape(graph, p)[1:], p.layout, p.dtype) for p in graph.inputs)
