"""A Graph as a trainable TensorFlow function: channels last inside, batch norm live, weights under the Graph's names.

Pictures come in as the source has them, so a channels-last source costs no transpose; what follows asks for the layout it needs.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from exporter.array import Array
from exporter.errors import UnsupportedOpError
from exporter.graph import DOMAIN, Graph, Port
from exporter.graph.qdq import Edge, Quantization
from exporter.train.call import Call, Carried, Operand, Refused, Weight
from exporter.train.layout import plain, transposed
from exporter.train.roles import roles_of
from exporter.train.rounding import Rounding
from exporter.train.table import OPS

Env = dict[ir.Value | Edge, Carried]
"""What is computed so far: values, and what some nodes see in their place."""


class Bridge:
    """A Graph to be trained.

    Args:
        graph: A cleaned Graph (batch norms live) or a finished one; stays as it is.
        frozen: Names of weights that are not to be trained.
        rounding: What of it is rounded as if it were stored in integers; batch norms keep their statistics then. None: nothing.

    Attributes:
        variables: By initializer name, in the form of its role: weights and statistics of batch norms.
        roles: What each of them is.

    Raises:
        UnsupportedOpError: If it has operators that are not known; names all layers.
        UsageError: If a weight is used in two ways that do not go together: `separate` helps.
    """

    def __init__(self, graph: Graph, *, frozen: Collection[str] = (), rounding: Quantization | None = None) -> None:
        self.graph = graph
        _require(graph.name, [(n, "not known to the trainer") for n in graph.nodes if n.op_type not in OPS or _foreign(n)])
        self.roles = roles_of(graph)
        inits = graph.model.graph.initializers
        self.variables: dict[str, Any] = {}
        for i, (name, role) in enumerate(self.roles.items()):
            tensor = inits[name].const_value
            assert tensor is not None
            trainable = role.trainable and name not in frozen
            self.variables[name] = tf.Variable(role.to_tensor(tensor.numpy()), trainable=trainable, name=f"weight_{i}")
        self.rounding = None if rounding is None else Rounding(graph, rounding, self.roles)
        self._plans: dict[tuple[str, ...], list[ir.Node]] = {}

    @property
    def trainable(self) -> dict[str, Any]:
        """The variables that are trained, by name."""
        return {name: v for name, v in self.variables.items() if v.trainable}

    def __call__(self, inputs: Mapping[str, Any], *, training: bool = False, momentum: Any = None) -> dict[str, Any]:
        """The outputs by source name, in the source's layout.

        Args:
            inputs: By source name, in the source's layout, float32, any number of samples.
            training: Batch norms use the batch, and their statistics follow it.
            momentum: Share that statistics keep at a step; None for each batch norm's own, at most 0.95.
        """
        names = [p.name for p in self.graph.outputs]
        found = self.values(inputs, names, training=training, momentum=momentum)
        return {p.source_name: leave(found[p.name], p) for p in self.graph.outputs}

    def values(
        self, inputs: Mapping[str, Any], names: Sequence[str], *, training: bool = False, momentum: Any = None
    ) -> dict[str, Carried]:
        """Values of any names with their layouts; only what they need is computed. See `__call__`.

        Raises:
            UnsupportedOpError: If layers ask for what is not known; names all of them.
        """
        training = training and self.rounding is None
        env: Env = {}
        ports = {p.name: p for p in self.graph.inputs}
        for value in self.graph.model.graph.inputs:
            port = ports[str(value.name)]
            self._put(value, enter(inputs[port.source_name], port), env)
        batch = tf.shape(next(iter(env.values())).value)[0] if env else None
        refused: list[tuple[ir.Node, str]] = []
        for node in self._plan(tuple(names)):
            if all(v is None or v.const_value is not None or v in env for v in node.inputs):
                self._run(Call(node, [self._operand(v, node, env) for v in node.inputs], training, momentum, batch), env, refused)
        _require(self.graph.name, refused)
        return self._found(names, env)

    def _found(self, names: Sequence[str], env: Env) -> dict[str, Carried]:
        found = {str(v.name): x for v, x in env.items() if isinstance(v, ir.Value)}
        for value in self.graph.model.graph.outputs:
            if value.const_value is not None:
                found[str(value.name)] = Carried(tf.constant(value.const_value.numpy()), plain(len(value.const_value.shape)))
        return {name: found[name] for name in names}

    def _run(self, call: Call, env: Env, refused: list[tuple[ir.Node, str]]) -> None:
        try:
            made = OPS[call.node.op_type](call)
        except Refused as problem:
            refused.append((call.node, str(problem)))
            return
        for value, x in zip(call.node.outputs, made if isinstance(made, list) else [made], strict=False):
            self._put(value, x, env)

    def _put(self, value: ir.Value, x: Carried, env: Env) -> None:
        env[value] = x if self.rounding is None else self.rounding.value(str(value.name), x)

    def _operand(self, value: ir.Value | None, reader: ir.Node, env: Env) -> Operand:
        if value is None:
            return None
        if value in env:
            return env[value] if self.rounding is None else self._read(self.rounding, value, reader, env)
        name = str(value.name)
        if name in self.variables:
            variable = self.variables[name]
            return Weight(variable if self.rounding is None else self.rounding.weight(name, variable), self.roles[name])
        assert value.const_value is not None
        array = np.asarray(value.const_value.numpy())
        return array if self.rounding is None else self.rounding.constant(name, array)

    def _read(self, rounding: Rounding, value: ir.Value, reader: ir.Node, env: Env) -> Carried:
        """A value as one node sees it; what several see alike is rounded once."""
        edge = rounding.edge(value, reader)
        if edge is None:
            return env[value]
        if edge not in env:
            env[edge] = env[value].like(rounding.edges[edge](env[value].value))
        return env[edge]

    def _plan(self, names: tuple[str, ...]) -> list[ir.Node]:
        """The nodes that values of these names need, in order."""
        if names not in self._plans:
            needed, nodes = set(names), []
            for node in reversed(self.graph.nodes):
                if any(v.name in needed for v in node.outputs):
                    needed |= {str(v.name) for v in node.inputs if v is not None}
                    nodes.append(node)
            self._plans[names] = nodes[::-1]
        return self._plans[names]

    def to_graph(self) -> Graph:
        """The Graph with the weights as they are now: a clone, the same names."""
        result = self.graph.clone()
        for name, variable in self.variables.items():
            value = result.model.graph.initializers[name]
            assert value.const_value is not None
            shape = tuple(int(str(d)) for d in value.const_value.shape)
            value.const_value = ir.tensor(self.roles[name].to_array(variable.numpy(), shape), name=name)
        return result

    def state(self) -> dict[str, Array]:
        """A copy of every variable."""
        return {name: variable.numpy() for name, variable in self.variables.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Put a copy back."""
        for name, variable in self.variables.items():
            variable.assign(state[name])


def enter(x: Any, port: Port) -> Carried:
    """The source's axes as the Graph's; `perm` says which source axis each Graph axis holds."""
    return Carried(tf.convert_to_tensor(x), transposed(plain(len(port.perm)), port.perm))


def leave(x: Carried, port: Port) -> Any:
    """The Graph's axes as the source's."""
    return x.to(transposed(plain(len(port.perm)), port.perm)).value


def _foreign(node: ir.Node) -> bool:
    return node.domain not in ("", "ai.onnx", DOMAIN)


def _require(model: str, refused: Sequence[tuple[ir.Node, str]]) -> None:
    if refused:
        named = "; ".join(f"{n.name or n.outputs[0].name} ({n.op_type}): {why}" for n, why in refused)
        count = f"{len(refused)} layer{'s' if len(refused) > 1 else ''}"
        raise UnsupportedOpError(f"{count} of {model} cannot be trained: {named}", hint="cut the model before them with --outputs A,B")
