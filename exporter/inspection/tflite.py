"""Inspect a .tflite file by its own schema."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from exporter.errors import SourceError

Facts = dict[str, Any]


def inspect_tflite(path: Path) -> Facts:
    """Operators, shapes and stored weights; costs are not counted for other tools' files.

    Raises:
        SourceError: If it is no TFLite file.
    """
    from ai_edge_litert import schema_py_generated as schema

    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise SourceError(f"{path.name} is no TFLite file: TFL3 in bytes 4 to 8 is missing", hint="fetch it again; it may be damaged")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
        names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
        kinds = {v: k.lower() for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
        return _facts(path, model, names, kinds)
    except (IndexError, ValueError, TypeError, AttributeError, KeyError, UnicodeDecodeError) as problem:
        raise SourceError(f"{path.name} is damaged: {type(problem).__name__} while reading it", hint="fetch it again") from problem


def _facts(path: Path, model: Any, names: dict[int, str], kinds: dict[int, str]) -> Facts:
    graph = model.subgraphs[0]
    layers = [_layer(model, graph, op, names) for op in graph.operators]
    ends = {k: {_name(graph.tensors[i]): _tensor(graph.tensors[i], kinds) for i in getattr(graph, k)} for k in ("inputs", "outputs")}
    total = {"params": sum(x["params"] for x in layers), "bytes": sum(x["bytes"] for x in layers)}
    return {"name": path.stem, "source": {"format": "tflite", "subgraphs": len(model.subgraphs)}, **ends, "layers": layers, "totals": total}


def _layer(model: Any, graph: Any, op: Any, names: dict[int, str]) -> Facts:
    code = model.operatorCodes[op.opcodeIndex]
    custom = code.customCode.decode() if code.customCode else None
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    tensors = [graph.tensors[i] for i in op.inputs if i >= 0]
    stored = [(t, _stored(model, t)) for t in tensors]
    weights = [(t, size) for t, size in stored if size]
    made = [graph.tensors[i] for i in op.outputs]
    fed = [t for t, size in stored if not size]
    return {
        "name": _name(made[0]).split(";")[0] if made else "", "op": custom or names.get(number, str(number)),
        "shape_in": _shape(fed[0]) if fed else None, "shape_out": _shape(made[0]) if made else None,
        "params": sum(prod(_shape(t)) for t, _ in weights), "macs": "", "mac_elements": "", "bytes": sum(size for _, size in weights),
    }  # fmt: skip


def _stored(model: Any, tensor: Any) -> int:
    data = model.buffers[tensor.buffer].data
    return 0 if data is None else int(np.asarray(data).size)


def _name(tensor: Any) -> str:
    return str(tensor.name.decode()) if tensor.name else ""


def _shape(tensor: Any) -> list[int]:
    return [] if tensor.shape is None else [int(d) for d in tensor.shape]


def _tensor(tensor: Any, kinds: dict[int, str]) -> str:
    return f"{'x'.join(map(str, _shape(tensor)))} {kinds.get(tensor.type, tensor.type)}"
