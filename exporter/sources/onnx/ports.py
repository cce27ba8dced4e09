"""Inputs and outputs of a foreign graph: their shapes, the batch, and cutting it elsewhere."""

from collections.abc import Sequence

import onnx_ir as ir

from exporter.errors import SourceError, unknown_name
from exporter.graph import BATCH, Port
from exporter.sources.onnx.facts import Facts
from exporter.sources.options import LoadOptions


def fix_inputs(model: ir.Model, options: LoadOptions) -> tuple[int, bool]:
    """Give every input a static shape; axis 0 becomes the batch.

    Returns:
        The file's own batch size, 1 where it is free; and whether it is fixed.

    Raises:
        SourceError: Names every input whose shape stays open, or whose type is no tensor.
        UsageError: If a shape is given for an input that is not there.
    """
    values = list(model.graph.inputs)
    names = [v.name or "" for v in values]
    for name in options.input_shapes:
        if name is not None and name not in names:
            raise unknown_name("input", name, names)
    _refuse_states(model.graph, options)
    open_ones, batches, example = [], set(), ""
    for value in values:
        given = _given(value, options, len(values))
        dims = _dims(value, given) if given is not None or value.shape is not None else [None, 3, None, None]
        if None in dims[1:] or (given is None and value.shape is None):
            shown = ", ".join("?" if d is None else str(d) for d in dims) if value.shape is not None else "no shape at all"
            open_ones.append(f"{value.name} ({shown})")
            example = example or f"{value.name}={','.join(str(d or (224 if i else 1)) for i, d in enumerate(dims))}"
            continue
        if isinstance(dims[0], int):
            batches.add(dims[0])
        value.shape = ir.Shape([BATCH, *dims[1:]])
    if open_ones:
        told = "; ".join(open_ones)
        raise SourceError(f"inputs with open shapes: {told}", hint=f"fix them, batch first, for example --input-shape {example}")
    if len(batches) > 1:
        raise SourceError(f"inputs with different batch sizes: {sorted(batches)}", hint="export it again with one for all")
    return (batches.pop(), True) if batches else (1, False)


def _refuse_states(graph: ir.Graph, options: LoadOptions) -> None:
    """Inputs that have the batch elsewhere than on axis 0, as the states of recurrent layers do.

    Raises:
        SourceError: Names them, and the recurrent layers.
    """
    named = {str(v.shape[0]) for v in graph.inputs if v.shape and not isinstance(v.shape[0], int)} - {"None"}
    states = []
    for value in graph.inputs:
        dims = [str(d) for d in value.shape or ()]
        at = next((i for i, d in enumerate(dims) if i and (d in named or "batch" in d.lower())), None)
        if at is not None and dims[0] not in named and value.name not in options.input_shapes and None not in options.input_shapes:
            states.append(f"{value.name} ({', '.join(dims)}) has the batch on axis {at}")
    if not states:
        return
    kinds = {n.op_type for n in graph.all_nodes()} & {"LSTM", "GRU", "RNN"}
    why = f"; the model holds recurrent layers ({', '.join(sorted(kinds))}), which are not exported yet" if kinds else ""
    raise SourceError(
        f"the batch must be axis 0 of every input: {'; '.join(states)}{why}",
        hint="a state that is carried from call to call cannot be exported: cut the model before the layers that take it, --outputs A,B; "
        "or export it again with the batch in front",
    )


def _given(value: ir.Value, options: LoadOptions, count: int) -> tuple[int, ...] | None:
    shape = options.input_shapes.get(value.name)
    if shape is None and None in options.input_shapes:
        if count > 1:
            raise SourceError(f"one shape for {count} inputs", hint=f"say which: --input-shape {value.name}=...")
        shape = options.input_shapes[None]
    return tuple(shape) if shape is not None else None


def _dims(value: ir.Value, given: tuple[int, ...] | None) -> list[int | None]:
    """The axes of an input: those of the file, open ones (other than the batch) filled in."""
    own: list[int | None] = [d if isinstance(d, int) and d > 0 else None for d in value.shape or ()]
    if value.shape is not None and not own:
        kind = (value.dtype or ir.DataType.FLOAT).numpy()
        fixed = f"m.graph.initializer.append(onnx.numpy_helper.from_array(numpy.array(VALUE, '{kind}'), '{value.name}'))"
        raise SourceError(
            f"input {value.name} is a single number ({kind}): every input needs a batch axis",
            hint=f"make it a constant with the VALUE you need: `m = onnx.load(...); {fixed}; onnx.save(m, ...)`",
        )
    if given is None:
        return own
    if value.shape is None:
        own = [None] * len(given)
    fits = len(given) == len(own) and all(o in (None, g) for o, g in zip(own[1:], given[1:], strict=True)) and min(given) > 0
    if not fits:
        shown = ",".join("?" if d is None else str(d) for d in own)
        asked = ",".join(map(str, given))
        raise SourceError(f"input {value.name} has the shape {shown}; {asked} does not fit", hint="give all axes, batch first")
    return [own[0], *given[1:]]


def values_named(graph: ir.Graph, names: Sequence[str]) -> list[ir.Value]:
    """The values of these names.

    Raises:
        UsageError: If there is none of a name; suggests the nearest.
    """
    known = {v.name or "": v for v in graph.inputs}
    known |= {v.name or "": v for node in graph for v in node.outputs if v.name}
    for name in names:
        if name not in known:
            raise unknown_name("value", name, known)
    return [known[name] for name in names]


def cut_outputs(graph: ir.Graph, names: Sequence[str]) -> None:
    """End the graph at these values."""
    found = values_named(graph, names)
    graph.outputs.clear()
    graph.outputs.extend(found)


def cut_inputs(graph: ir.Graph, names: Sequence[str], learned: Facts | None) -> None:
    """Start the graph at these values.

    Args:
        graph: Changed in place.
        names: Names of the values, which become inputs.
        learned: What is known of the whole graph, where the file does not say their shapes.

    Raises:
        SourceError: If the outputs still need another input.
    """
    starts = []
    for old in values_named(graph, names):
        fact = learned.of(old) if learned else None
        shape = ir.Shape([None, *fact.shape[1:]]) if fact is not None and fact.shape else old.shape
        dtype = ir.DataType(fact.dtype) if fact is not None and fact.dtype else old.dtype or ir.DataType.FLOAT
        new = ir.Value(name=old.name, shape=shape, type=ir.TensorType(dtype))
        old.name = f"{old.name}__cut"
        old.replace_all_uses_with(new)
        starts.append(new)
    before = list(graph.inputs)
    graph.inputs.clear()
    graph.inputs.extend(starts)
    _drop_unused(graph)
    left = [v.name for v in before if v not in starts and v.uses()]
    if left:
        needed = ", ".join(map(str, left))
        raise SourceError(f"behind {', '.join(names)} the outputs still need input {needed}", hint="name it in --inputs too")


def keep_used_inputs(graph: ir.Graph) -> None:
    """Forget nodes, and inputs, that the outputs do not need."""
    _drop_unused(graph)
    used = [v for v in graph.inputs if v.uses() or v.is_graph_output()]
    graph.inputs.clear()
    graph.inputs.extend(used)


def _drop_unused(graph: ir.Graph) -> None:
    for node in reversed(list(graph)):
        if not any(v.uses() or v.is_graph_output() for v in node.outputs):
            graph.remove(node, safe=True)


def port(value: ir.Value, dtype: ir.DataType | None) -> Port:
    """The Port of a value that keeps its name and axes."""
    name = value.name or ""
    return Port(name, name, tuple(range(len(value.shape or ()))), str((dtype or ir.DataType.FLOAT).numpy()))
