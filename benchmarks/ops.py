"""Operators of a written file, read from the file itself by its own format's reader."""

from collections import Counter
from pathlib import Path

LAYOUT = {"onnx": ("Transpose",), "tflite": ("TRANSPOSE",), "ncnn": ("Permute",)}
"""The operators that only move axes, by format."""


def count_ops(path: Path) -> Counter[str]:
    """Operator name to how often it occurs.

    Args:
        path: A `.onnx`, `.tflite` or `.param` file.
    """
    return {".onnx": _onnx, ".tflite": _tflite, ".param": _ncnn}[path.suffix](path)


def _onnx(path: Path) -> Counter[str]:
    import onnx

    return Counter(node.op_type for node in onnx.load(path, load_external_data=False).graph.node)


def _tflite(path: Path) -> Counter[str]:
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    return Counter(names[codes[op.opcodeIndex]] for graph in model.subgraphs for op in graph.operators)


def _ncnn(path: Path) -> Counter[str]:
    return Counter(line.split()[0] for line in path.read_text().splitlines()[2:] if line.strip())
