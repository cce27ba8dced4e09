"""What an ONNX file may hold that we refuse by name, all at once, with the way on."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from exporter.errors import SourceError
from exporter.graph import OPSET, attr
from exporter.sources.onnx.facts import Facts
from exporter.sources.onnx.walk import named

_RECURRENT = "recurrent layers are not exported yet"
_CONTROL = "its path depends on the data"
_DYNAMIC = "its output's size depends on the data"
_TEXT = "text is not computed on"
_RANDOM = "its result is random"
_INT8 = "there is no float form of it here; give the float model, `--precision int8` quantizes it"
_COMPUTED = "the scales of its integers are computed as it runs; give the float model, `--precision int8-dynamic` quantizes it so"
_UNTRANSLATED = "a TensorFlow function that tf2onnx left untranslated, as it does with grouped convolutions; the file is not valid ONNX"
_UNKNOWN = "ONNX has no such operator; the file is not valid ONNX"

REFUSED: dict[str, str] = {
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _RECURRENT),
    **dict.fromkeys(("If", "Loop", "Scan"), _CONTROL),
    **dict.fromkeys(("NonMaxSuppression", "NonZero", "Unique", "Compress", "TopK"), _DYNAMIC),
    **dict.fromkeys(("StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"), _TEXT),
    **dict.fromkeys(("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"), _RANDOM),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"), _COMPUTED),
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), _UNTRANSLATED),
    **dict.fromkeys(("SplitToSequence", "ConcatFromSequence", "OptionalGetElement", "OptionalHasElement", "Optional"), _CONTROL),
}
"""Operators that no export holds for now, with the reason."""

_NAMED = 8
"""So many nodes are named in one error."""


def refuse(model: ir.Model, facts: Facts) -> None:
    """Refuse a graph by every node of it that cannot be exported.

    Raises:
        SourceError: Names the nodes, the reasons, and the values to cut the graph at.
    """
    reasons: dict[ir.Node, str] = {}
    for node in living(model.graph):
        why = _reason(node, facts)
        if why is not None:
            reasons[node] = why
    if not reasons:
        return
    told = [f"{named(node)}: {why}" for node, why in list(reasons.items())[:_NAMED]]
    more = f"; and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    raise SourceError(f"not exportable: {'; '.join(told)}{more}", hint=_remedy(model.graph, reasons, facts))


def _reason(node: ir.Node, facts: Facts) -> str | None:
    from onnx import defs

    if node.op_type.startswith(("QLinear", "QGemm", "QAttention")):
        return _INT8
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type.startswith("Sequence"):
        return _CONTROL
    if node.op_type in REFUSED or not defs.has(node.op_type):
        return REFUSED.get(node.op_type, _UNKNOWN)
    if not defs.has(node.op_type, OPSET, ""):
        return f"an operator of a newer set than {OPSET}, which is the newest that is read; export with an older one"
    return _setting(node, facts)


def _setting(node: ir.Node, facts: Facts) -> str | None:
    """What of an operator that we know cannot be exported."""
    trains = "exported in training mode; call `model.eval()` before the export"
    if node.op_type == "BatchNormalization" and (attr(node, "training_mode", 0) or len(node.outputs) > 1):
        return trains
    if node.op_type in ("Conv", "ConvTranspose") and _computed(node.inputs[1], facts):
        return "its weights are computed from the input, not constant"
    if node.op_type == "Dropout" and any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        return "its mask is used, which is all true outside training"
    if node.op_type == "Dropout":
        mode = facts.constant(node, 2)
        return trains if mode is not None and bool(np.any(mode)) else None
    return None


def _computed(value: ir.Value | None, facts: Facts) -> bool:
    fact, maker = facts.of(value), value.producer() if value is not None else None
    dequantized = maker is not None and maker.op_type == "DequantizeLinear"
    return fact is not None and fact.value is None and not dequantized


def living(graph: ir.Graph) -> list[ir.Node]:
    """The nodes that outputs depend on, in order."""
    needed: set[ir.Node] = set()
    stack = [v.producer() for v in graph.outputs]
    while stack:
        node = stack.pop()
        if node is not None and node not in needed:
            needed.add(node)
            stack.extend(v.producer() for v in node.inputs if v is not None)
    return [n for n in graph if n in needed]


def _remedy(graph: ir.Graph, refused: Mapping[ir.Node, str], facts: Facts) -> str:
    """The computed values right before the refused part: where `--outputs` may cut; and finished outputs beside it."""
    if _UNKNOWN in refused.values():
        return "export the model again; if tf2onnx made the file, give the Keras model or SavedModel that it was made from"
    if _UNTRANSLATED in refused.values():
        return "give the Keras or SavedModel source itself; or call `tf.config.run_functions_eagerly(True)` before tf2onnx"
    tainted: set[ir.Node] = set()
    border: dict[str, None] = {}
    bad = set(refused)
    for node in living(graph):
        makers = [v.producer() for v in node.inputs if v is not None]
        if node not in bad and not any(m in tainted for m in makers):
            continue
        tainted.add(node)
        for value in node.inputs:
            fact = facts.of(value)
            computed = value is not None and fact is not None and fact.value is None
            if computed and value is not None and value.producer() not in tainted and not value.is_graph_input():
                border[value.name or ""] = None
    border.update({v.name or "": None for v in graph.outputs if v.producer() not in tainted})
    if not border and set(refused.values()) <= {_INT8, _COMPUTED}:
        return "export or download the float model: the one before it was quantized"
    if not border:
        return "export the model again without these layers"
    return f"cut the model before them: --outputs {','.join(list(border)[:_NAMED])}"
