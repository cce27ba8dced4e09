"""What goes into each input: which are pictures, and with which range, told by flags, by the model itself, or assumed."""

from collections.abc import Sequence

import onnx_ir as ir

from exporter.building.options import PixelOptions
from exporter.data import InputSpec
from exporter.errors import UsageError
from exporter.graph import Graph
from exporter.preprocessing import Preprocessing, make

SCALING = ("Mul", "Div", "Add", "Sub")
"""A constant one of these right behind an input is a Rescaling or Normalization layer: the model takes raw pixels."""

PASSING = ("Transpose", "Identity", "Cast", "Reshape")
"""Operators that may stand between."""


def preprocessing_of(raw: Graph, specs: Sequence[InputSpec], pixels: PixelOptions) -> dict[str, Preprocessing]:
    """How each input is fed, by source name.

    Args:
        raw: The graph as read, before its scaling is folded away.
        specs: Its inputs.
        pixels: What the user said about the only picture input.

    Raises:
        UsageError: If something was said about pictures and there is not exactly one picture input.
    """
    pictures = [s.name for s in specs if s.picture]
    said = pixels != PixelOptions()
    if said and len(specs) > 1 and len(pictures) != 1:
        raise UsageError(
            f"--mean, --std, --color and --resize describe the only picture input, but there are {len(pictures)}",
            hint="leave them out and give --samples as an .npz with one key an input, preprocessed",
        )
    described = pictures[0] if len(pictures) == 1 else specs[0].name
    scaled = {p.source_name for p in raw.inputs if scales_itself(raw, p.name)}
    return {s.name: _one(s, pixels if s.name == described else PixelOptions(), s.name in scaled) for s in specs}


def scales_itself(graph: Graph, name: str) -> bool:
    """Whether a constant scale or shift is the first thing that happens to an input."""
    value = next(v for v in graph.model.graph.inputs if v.name == name)
    for _ in range(len(PASSING)):
        users = value.consumers()
        if len(users) != 1:
            return False
        node = users[0]
        if node.op_type in PASSING:
            value = node.outputs[0]
            continue
        return node.op_type in SCALING and _others_constant(node, value)
    return False


def _others_constant(node: ir.Node, value: ir.Value) -> bool:
    others = [v for v in node.inputs if v is not None and v is not value]
    return bool(others) and all(v.const_value is not None for v in others)


def _one(spec: InputSpec, pixels: PixelOptions, scaled: bool) -> Preprocessing:
    return make(spec.channels, mean=pixels.mean, std=pixels.std, color=pixels.color, resize=pixels.resize, known=scaled)
