"""Give every use of a constant that cannot be trained in common its own copy."""

from exporter.graph import Graph, add_constant
from exporter.train.roles import Role, role_at


def separate(graph: Graph) -> Graph:
    """A clone in which no constant has two roles and no statistics are shared; weights that layers share stay shared.

    Given:   BatchNormalization(x, a, b, zeros, ones);  BatchNormalization(y, c, d, zeros, ones)
    Result:  BatchNormalization(x, a, b, zeros, ones);  BatchNormalization(y, c, d, zeros_2, ones_2)

    Exporters store equal arrays once, which ties what training must be free to pull apart.
    """
    return separated(graph)[0]


def separated(graph: Graph) -> tuple[Graph, dict[str, str]]:
    """As `separate`; and of every copy the name of the constant that it is one of."""
    result = graph.clone()
    copies: dict[str, str] = {}
    taken: dict[str, Role | None] = {}
    for node in result.nodes:
        for index, value in enumerate(node.inputs):
            if value is None or value.const_value is None:
                continue
            name, role = str(value.name), role_at(node, index)
            if name not in taken:
                taken[name] = role
            elif taken[name] != role or (role is not None and not role.trainable):
                own = add_constant(result, name, value.const_value.numpy())
                node.replace_input_with(index, own)
                taken[str(own.name)] = role
                copies[str(own.name)] = name
    return result, copies
