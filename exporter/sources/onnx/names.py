"""Every node and value gets a name of its own; those that have one keep it."""

import onnx_ir as ir


def tidy(model: ir.Model) -> None:
    """Name what has no name, in place: nodes after their first output, which ONNX requires to be named where it is read."""
    taken = {v.name for v in model.graph.inputs} | set(model.graph.initializers)
    nodes: set[str] = set()
    for node in model.graph:
        for value in node.outputs:
            if value.name in taken or (not value.name and value.uses()):
                value.name = _free(value.name or node.op_type, taken)
            taken.add(value.name)
        base = node.name or next((v.name for v in node.outputs if v.name), None) or node.op_type
        node.name = _free(base, nodes)
        nodes.add(node.name)


def _free(base: str, taken: "set[str | None] | set[str]") -> str:
    name, i = base, 2
    while name in taken:
        name, i = f"{base}_{i}", i + 1
    return name
