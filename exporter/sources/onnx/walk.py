"""The two walks over a foreign graph: bring every node up to date and learn its shapes; then free it from its batch size."""

import onnx_ir as ir

from exporter.errors import SourceError
from exporter.graph import BATCH
from exporter.sources.onnx.batch import free_batch
from exporter.sources.onnx.facts import Fact, Facts, declared
from exporter.sources.onnx.upgrade import upgrade

FREE_HINT = "export it again with a free batch (torch: `dynamic_axes={'input': {0: 'batch'}}`), or cut the model before it with --outputs"


def learn(model: ir.Model, batch: int, opset: int, *, fixed: bool) -> Facts:
    """Upgrade every node, take constant branches, and return all facts for one batch size.

    A node that cannot take the shapes that it gets does not end the walk: `facts.problem` names the first one, for whoever finds no
    better reason to refuse the graph.
    """
    facts = Facts(batch, fixed)
    for node in model.graph:
        try:
            if upgrade(node, facts, opset) or _take_branch(node, facts):
                continue
            facts.visit(node)
        except ValueError as problem:
            facts.problem = facts.problem or f"node {named(node)}: {problem}"
            facts.known.update({v: declared(v, batch) for v in node.outputs})
    return facts


def free(model: ir.Model, one: Facts) -> None:
    """Rewrite what is bound to one batch size, then make constants initializers and set every value's shape.

    Raises:
        SourceError: If a node stays bound to it; names it.
    """
    two = Facts(2 * one.batch, one.fixed)
    for value in model.graph.inputs:
        shape = one.shape(value) or ()
        two.known[value] = Fact(int(value.dtype or 0), (2 * one.batch, *shape[1:]))
    for node in model.graph:
        try:
            free_batch(node, one, two)
        except ValueError as problem:
            raise SourceError(f"node {named(node)} works for one batch size only: {problem}", hint=FREE_HINT) from problem
    _settle(model, one, two)


def named(node: ir.Node) -> str:
    """A node in words: its name or first output, and its operator."""
    return f"{node.name or node.outputs[0].name} ({node.op_type})"


def _take_branch(node: ir.Node, facts: Facts) -> bool:
    """Put the branch of an If with a constant condition in its place."""
    if node.op_type != "If" or node.domain:
        return False
    condition = facts.constant(node, 0)
    if condition is None:
        return False
    branch = node.attributes["then_branch" if condition.item() else "else_branch"].as_graph()
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    for value in list(branch.initializers.values()):
        branch.initializers.pop(value.name or "")
        value.name = _free_name(graph, value.name or "constant")
        graph.initializers[value.name] = value
    nodes, outputs = list(branch), list(branch.outputs)
    branch.outputs.clear()
    branch.remove(nodes)
    copies = [ir.node("Identity", [v]) for v in outputs]
    graph.insert_after(node, [*nodes, *copies])
    for old, copy in zip(node.outputs, copies, strict=True):
        _hand_over(graph, old, copy.outputs[0])
    graph.remove(node, safe=True)
    return True


def _free_name(graph: ir.Graph, base: str) -> str:
    name, i = base, 2
    while name in graph.initializers:
        name, i = f"{base}_{i}", i + 1
    return name


def _hand_over(graph: ir.Graph, old: ir.Value, new: ir.Value) -> None:
    """All readers of `old`, graph outputs too, read `new`, which takes its name."""
    for i, output in enumerate(graph.outputs):
        if output is old:
            graph.outputs[i] = new
    old.replace_all_uses_with(new)
    new.name, old.name = old.name, f"{old.name}__old"


def _settle(model: ir.Model, one: Facts, two: Facts) -> None:
    for node in list(model.graph):
        for value in node.outputs:
            first, second = one.of(value), two.of(value)
            assert first is not None
            assert second is not None
            if first.value is not None and second.value is not None:
                _make_initializer(model.graph, value, first)
            else:
                _set_shape(value, first, second, one.batch)
    _remove_dead(model)


def _make_initializer(graph: ir.Graph, value: ir.Value, fact: Fact) -> None:
    if not value.uses() or value.is_graph_output():
        return
    assert fact.value is not None
    tensor = ir.Tensor(fact.value, name=value.name)
    new = ir.Value(name=value.name, shape=ir.Shape(fact.value.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    value.name = f"{value.name}__node"
    graph.initializers[new.name or ""] = new
    value.replace_all_uses_with(new)


def _set_shape(value: ir.Value, first: Fact, second: Fact, batch: int) -> None:
    if first.dtype:
        value.type = ir.TensorType(ir.DataType(first.dtype))
    if first.shape is None or second.shape is None or len(first.shape) != len(second.shape):
        return
    dims: list[int | str | None] = []
    for a, b in zip(first.shape, second.shape, strict=True):
        dims.append(a if a == b else BATCH if a == batch else None if a is None else f"{a // batch}{BATCH}")
    value.shape = ir.Shape(dims)


def _remove_dead(model: ir.Model) -> None:
    """Nodes and initializers that nothing reads."""
    graph = model.graph
    for node in reversed(list(graph)):
        if not any(v.uses() or v.is_graph_output() for v in node.outputs):
            graph.remove(node, safe=True)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            graph.initializers.pop(name)
