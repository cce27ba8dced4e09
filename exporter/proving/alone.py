"""Each layer alone: what it must give for the numbers that the file itself has before it. Nothing spreads, so a wrong layer stands out."""

from collections.abc import Mapping

import onnx_ir as ir

from exporter.array import Array
from exporter.graph import Graph, const
from exporter.graph.evaluate import evaluate


def alone(written: Graph, inputs: Mapping[str, Array], got: Mapping[str, Array]) -> dict[str, Array]:
    """What each value must be, by name, where all that lies before it is as the file has it.

    Args:
        written: What the file was written from; stays as it is.
        inputs: By Graph input name, in Graph layout.
        got: The file's values, by name, in Graph layout.
    """
    cut, feeds = written.clone(), dict(inputs)
    made = {str(v.name): v for n in cut.nodes for v in n.outputs}
    for name, array in got.items():
        readers = list(made[name].uses())
        if not readers or made[name].dtype != ir.DataType.FLOAT:
            continue
        given = ir.Value(name=f"{name}__given", type=ir.TensorType(ir.DataType.FLOAT))
        for reader, index in readers:
            reader.replace_input_with(index, given)
        cut.model.graph.inputs.append(given)
        feeds[str(given.name)] = array
    return evaluate(cut, feeds, list(got))


def steps_of(written: Graph) -> dict[str, float]:
    """Of the rounded values of a Graph, by name: what one step of their integers is."""
    found = {}
    for node in written.nodes:
        scale = const(node.inputs[1]) if node.op_type == "DequantizeLinear" else None
        if scale is not None and scale.size == 1:
            found[str(node.outputs[0].name)] = float(scale.item())
    return found
