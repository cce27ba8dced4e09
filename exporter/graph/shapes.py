"""Static shapes for every value, without the weights passing through a proto."""

import onnx_ir as ir

from exporter.graph.model import BATCH, Graph

PROBE = 1_000_003
"""The batch size that inference runs with: a prime that no real axis has, so each axis it shows up in is a batch axis."""

_SMALL = 1024
"""Constants up to this many bytes are handed to inference: it needs shapes, axes and scales, never weights."""


def infer_shapes(graph: Graph) -> None:
    """Set the shape and type of every value in place, from the inputs on; axis 0 of a batched value is `BATCH`.

    Values of operators that nobody knows keep the shape they have.

    Raises:
        ValueError: If an operator cannot take the shapes that it gets; onnx's message names the node.
    """
    from onnx import TensorProto, shape_inference

    try:
        inferred = shape_inference.infer_shapes(_skeleton(graph.model), check_type=False, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as problem:
        raise ValueError(f"shapes of {graph.name}: {problem}") from problem
    found = {v.name: v.type.tensor_type for v in (*inferred.graph.value_info, *inferred.graph.output)}
    for node in graph.model.graph:
        for value in node.outputs:
            tensor = found.get(value.name)
            if tensor is None or tensor.elem_type == TensorProto.UNDEFINED:
                continue
            value.type = ir.TensorType(ir.DataType(tensor.elem_type))
            if tensor.HasField("shape"):
                value.shape = ir.Shape([_dimension(d.dim_value if d.HasField("dim_value") else None) for d in tensor.shape.dim])


def infer_missing(graph: Graph) -> None:
    """`infer_shapes` where any value has no shape yet: what a pass that made nodes calls; quick when none did."""
    if any(v.shape is None and v.name for node in graph.model.graph for v in node.outputs):
        infer_shapes(graph)


def _dimension(size: int | None) -> int | str | None:
    """An inferred axis as ours: the probe is the batch, a multiple of it a batch merged with something."""
    if size is None or size % PROBE or not size:
        return size
    return BATCH if size == PROBE else f"{size // PROBE}{BATCH}"


def _skeleton(model: ir.Model):  # type: ignore[no-untyped-def]
    """The model's proto with PROBE as batch, big constants as inputs, and no old shapes but those of unknown operators."""
    import onnx
    from onnx import helper

    body = model.graph
    proto = onnx.ModelProto(ir_version=10)
    proto.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in body.opset_imports.items())
    proto.functions.extend(ir.to_proto(function) for function in model.functions.values())
    proto.graph.name = "shapes"
    proto.graph.input.extend(_info(v) for v in body.inputs)
    for value in body.initializers.values():
        tensor = value.const_value
        if tensor is not None and tensor.nbytes <= _SMALL:
            proto.graph.initializer.append(ir.to_proto(tensor))
            proto.graph.initializer[-1].name = value.name or ""
        elif value not in body.inputs:
            proto.graph.input.append(_info(value))
    own = {domain for domain, _, _ in model.functions}
    for node in body:
        proto.graph.node.append(ir.to_proto(node))
        if node.domain and node.domain not in own:
            proto.graph.value_info.extend(_info(v) for v in node.outputs if v.shape is not None)
    proto.graph.output.extend(onnx.ValueInfoProto(name=v.name) for v in body.outputs)
    return proto


def _info(value: ir.Value):  # type: ignore[no-untyped-def]
    from onnx import helper

    shape = value.const_value.shape if value.const_value is not None else value.shape
    dims = None if shape is None else [PROBE if str(d) == BATCH else d if isinstance(d, int) else None for d in shape]
    return helper.make_tensor_value_info(value.name or "", int(value.dtype or ir.DataType.FLOAT), dims)
