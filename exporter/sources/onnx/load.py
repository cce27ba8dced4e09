"""ONNX file to Graph."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir

from exporter.array import Array
from exporter.errors import SourceError
from exporter.graph import BATCH, OPSET, Graph
from exporter.graph.carry import carry
from exporter.graph.qdq import insert
from exporter.sources.onnx import ports
from exporter.sources.onnx.external import attach
from exporter.sources.onnx.floats import to_float32
from exporter.sources.onnx.front_run import to_front
from exporter.sources.onnx.mapped import read
from exporter.sources.onnx.names import tidy
from exporter.sources.onnx.quantized import unquantize
from exporter.sources.onnx.refuse import refuse
from exporter.sources.onnx.rows import check_rows
from exporter.sources.onnx.walk import FREE_HINT, free, learn
from exporter.sources.options import LoadOptions

OLDEST = 7
"""Before it, broadcasting was another one."""


def load(path: Path, options: LoadOptions, name: str) -> Graph:
    """Read an ONNX file as a RAW Graph; its big weights stay mapped to it. A quantized file keeps its pairs: see `graph.qdq`.

    Raises:
        SourceError: If it is damaged, lacks files, holds what is not exported, or works for one batch size only.
        UsageError: If the options name a value that is not there.
    """
    proto, arrays = read(path)
    return from_proto(proto, arrays, path.parent, options, name)


def from_proto(proto: Any, arrays: Mapping[str, Array], folder: Path, options: LoadOptions, name: str) -> Graph:
    """The same for a model in memory.

    Args:
        proto: onnx.ModelProto.
        arrays: Initializers whose data the proto lacks, by name.
        folder: Where external data lies.
        options: Input shapes and cuts.
        name: The Graph's name.
    """
    opset = _opset(proto)
    if proto.functions:
        from onnx import inliner

        proto = inliner.inline_local_functions(proto)
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)  # what is wrong with a file is told in our words
    model = ir.from_proto(proto)
    attach(model, arrays, folder)
    _real_inputs(model)
    tidy(model)
    quantization = unquantize(model)
    if options.outputs:
        ports.cut_outputs(model.graph, options.outputs)
    if options.inputs:
        _cut_inputs(model, options, opset)
    ports.keep_used_inputs(model.graph)  # tf2onnx lists constants as inputs and then reads none of them
    graph = _graph(model, options, opset, name)
    return graph if quantization is None else insert(graph, carry(quantization, graph))


def _opset(proto: Any) -> int:
    found = [o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")]
    opset = int(found[0]) if found else OPSET
    if opset < OLDEST:
        raise SourceError(
            f"operator set {opset}: {OLDEST} or newer is read",
            hint="bring it up: `onnx.save(onnx.version_converter.convert_version(onnx.load('old.onnx'), 11), 'new.onnx')`",
        )
    return opset


def _real_inputs(model: ir.Model) -> None:
    """Initializers listed as inputs, as old files have them, are no inputs."""
    graph = model.graph
    inputs = [v for v in graph.inputs if v.const_value is None]
    graph.inputs.clear()
    graph.inputs.extend(inputs)
    graph.sort()


def _cut_inputs(model: ir.Model, options: LoadOptions, opset: int) -> None:
    """The shapes of the new inputs come from the options or the file, else from a walk over the whole graph."""
    stated = set(options.input_shapes)
    values = ports.values_named(model.graph, options.inputs)
    known = all(v.name in stated or (v.shape is not None and all(isinstance(d, int) for d in v.shape[1:])) for v in values)
    learned = None
    if not known and None not in stated:
        batch, fixed = ports.fix_inputs(model, LoadOptions())
        learned = learn(model, batch, opset, fixed=fixed)
    ports.cut_inputs(model.graph, options.inputs, learned)


def _graph(model: ir.Model, options: LoadOptions, opset: int, name: str) -> Graph:
    batch, fixed = ports.fix_inputs(model, options)
    facts = learn(model, batch, opset, fixed=fixed)
    refuse(model, facts)
    if facts.problem is not None:
        raise SourceError(facts.problem, hint="does the input have another shape? Set it with --input-shape; or cut the model before it")
    constants = [v.name for v in model.graph.outputs if (f := facts.of(v)) is not None and f.value is not None]
    if constants:
        told = ", ".join(map(str, constants))
        raise SourceError(f"outputs that are the same for every input: {told}", hint="leave them out with --outputs")
    facts, stuck = to_front(model, facts)
    try:
        free(model, facts)
    except SourceError as problem:
        told = f"node {stuck}, which works for one batch size only"
        raise SourceError(told, hint=problem.hint) if stuck else problem from problem
    inputs = tuple(ports.port(v, v.dtype) for v in model.graph.inputs)
    outputs = tuple(ports.port(v, v.dtype) for v in model.graph.outputs)
    to_float32(model)
    model.graph.opset_imports[""] = OPSET
    model.graph.name = name
    graph = Graph(_plain(model), inputs, outputs, name)
    _batched(graph)
    check_rows(graph)
    return graph


def _plain(model: ir.Model) -> ir.Model:
    """The graph alone, without what exporters note about it."""
    return ir.Model(model.graph, ir_version=10, producer_name="mexport", functions=list(model.functions.values()))


def _batched(graph: Graph) -> None:
    """Every output must follow the batch on axis 0."""
    for value in graph.model.graph.outputs:
        if value.shape is None:
            continue
        if not value.shape or value.shape[0] != BATCH:
            shown = ", ".join(str(d) for d in value.shape)
            raise SourceError(f"output {value.name} of shape ({shown}) has no batch axis in front", hint=FREE_HINT)
