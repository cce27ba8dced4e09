"""The reference of an ONNX file: onnxruntime on its original bytes, optimisations off. Runs in a child process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.errors import SourceError, unknown_name
from exporter.sources.onnx_single import in_single_precision
from exporter.sources.options import LoadOptions


class Session:
    """One file, opened once.

    Samples run one at a time, or as many at a time as the file fixes: it may declare a free batch and still compute for one.
    """

    def __init__(self, path: str, options: dict[str, Any]) -> None:
        import onnxruntime as ort

        choices = LoadOptions.from_json(options)
        setting = ort.SessionOptions()
        setting.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        setting.log_severity_level = 3
        file = Path(path)
        model: str | bytes = str(file) if not (choices.inputs or choices.outputs) else cut(file, choices.inputs, choices.outputs)
        self.engine = _start(file.name, model, setting)
        self.inputs = {i.name: i for i in self.engine.get_inputs()}
        self.unread = set() if isinstance(model, bytes) else unread(file)
        self.batch = next((i.shape[0] for i in self.inputs.values() if i.shape and isinstance(i.shape[0], int) and i.shape[0] > 0), 1)

    def reference(self, arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
        """Outputs for n samples: arrays by source name, n on axis 0 of each."""
        for name in arrays:
            if name not in self.inputs:
                raise unknown_name("input", name, self.inputs)
        n = len(next(iter(arrays.values())))
        parts = [self._run(arrays, start, min(start + self.batch, n)) for start in range(0, n, self.batch)]
        names = [o.name for o in self.engine.get_outputs()]
        return {}, {name: np.concatenate([p[name] for p in parts]) for name in names}

    def _run(self, arrays: dict[str, Array], start: int, stop: int) -> dict[str, Array]:
        rows = np.arange(start, start + self.batch).clip(max=stop - 1)  # the last one is repeated to fill a fixed batch
        feeds = {name: _typed(x[rows], self.inputs[name].type) for name, x in arrays.items() if name in self.inputs}
        feeds |= {name: self._zeros(one) for name, one in self.inputs.items() if name in self.unread}
        names = [o.name for o in self.engine.get_outputs()]
        results = self.engine.run(names, feeds)
        return {name: self._rows(y)[: stop - start] for name, y in zip(names, results, strict=True)}

    def _zeros(self, one: Any) -> Array:
        """For an input that no node reads and onnxruntime wants all the same; open axes have the batch's length, or 1."""
        shape = [d if isinstance(d, int) and d > 0 else 1 if i else self.batch for i, d in enumerate(one.shape)]
        return _typed(np.zeros(shape, np.float32), one.type)

    def _rows(self, y: Array) -> Array:
        """An output with the batch in front, also where a file for one sample dropped that axis; fractions as float32."""
        if self.batch == 1 and (y.ndim == 0 or len(y) != 1):
            y = y[None]
        return y.astype(np.float32) if y.dtype.kind == "f" else y


def _start(name: str, model: str | bytes, setting: Any) -> Any:
    """The engine on a file or its bytes; in single precision where onnxruntime lacks an operator in double."""
    import onnx
    import onnxruntime as ort
    from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as Lacking

    try:
        return ort.InferenceSession(model, setting, providers=["CPUExecutionProvider"])
    except Lacking as problem:
        proto = onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
        single = in_single_precision(proto)
        if single == proto:
            raise _refused(name, problem) from problem
        return _start(name, single.SerializeToString(), setting)
    except Exception as problem:
        raise _refused(name, problem) from problem


def _refused(name: str, problem: Exception) -> SourceError:
    return SourceError(f"onnxruntime refuses {name}: {str(problem).splitlines()[0]}", hint="is the file whole, and does it run elsewhere?")


def _typed(x: Array, kind: str) -> Array:
    """As the element type that onnxruntime names, e.g. "tensor(uint8)"; whole numbers are rounded and kept in range."""
    inner = kind[len("tensor(") : -1]
    dtype = np.dtype({"float": "float32", "double": "float64", "float16": "float16", "bool": "bool"}.get(inner, inner))
    if dtype.kind in "iu" and x.dtype.kind == "f":
        limits = np.iinfo(dtype)
        return np.rint(x).clip(limits.min, limits.max).astype(dtype)
    return np.ascontiguousarray(x, dtype)


def cut(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """The file's own nodes between some of its values, nothing else changed.

    Args:
        path: The ONNX file.
        inputs: Values to start at; none for its own inputs.
        outputs: Values to end at; none for its own outputs.
    """
    import onnx

    proto = onnx.load(path)
    graph = proto.graph
    ends = list(outputs) or [o.name for o in graph.output]
    infos = {v.name: v for v in (*_inferred(path).graph.value_info, *graph.value_info, *graph.output, *graph.input)}
    weights = {t.name for t in graph.initializer}
    starts = list(inputs) or [i.name for i in graph.input if i.name not in weights]
    needed, nodes = set(ends), []
    for node in reversed(graph.node):
        made = set(node.output) - set(starts)
        if made & needed:
            nodes.append(node)
            needed |= set(_reads(node))
    body = onnx.GraphProto(name=graph.name, node=nodes[::-1], initializer=[t for t in graph.initializer if t.name in needed])
    body.sparse_initializer.extend(graph.sparse_initializer)
    body.input.extend(_info(name, infos) for name in starts if name in needed)
    body.output.extend(onnx.ValueInfoProto(name=name) for name in ends)
    proto.graph.CopyFrom(body)
    return bytes(proto.SerializeToString())


def unread(path: Path) -> set[str]:
    """Names of the file's inputs that no node reads and that are no output."""
    from exporter.sources.onnx.mapped import read

    graph = read(path)[0].graph
    read_by_nodes = {name for node in graph.node for name in _reads(node)} | {o.name for o in graph.output}
    return {i.name for i in graph.input} - read_by_nodes


def _inferred(path: Path) -> Any:
    """The file's proto with the types of inner values, without weights: only big ones are left out."""
    from onnx import shape_inference

    from exporter.sources.onnx.mapped import read

    return shape_inference.infer_shapes(read(path)[0])


def _reads(node: Any) -> list[str]:
    """What a node reads, inside its branches too."""
    names = list(node.input)
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            for inner in graph.node:
                names += _reads(inner)
            names += [o.name for o in graph.output]
    return names


def _info(name: str, infos: dict[str, Any]) -> Any:
    """Type and shape of a new input, as far as the file or onnx's inference knows them."""
    from onnx import TensorProto, helper

    return infos.get(name) or helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
