"""What goes into each input: which are pictures, and with which range, told by flags, by the model itself, or assumed."""

from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir

from exporter.building.options import PixelOptions
from exporter.data import InputSpec
from exporter.errors import UsageError, unknown_name
from exporter.graph import Graph
from exporter.preprocessing import Preprocessing, make

SCALING = ("Mul", "Div", "Add", "Sub")
"""A constant one of these right behind an input is a Rescaling or Normalization layer: the model takes raw pixels."""

PASSING = ("Transpose", "Identity", "Cast", "Reshape")
"""Operators that may stand between."""


Told = Mapping[str | None, Mapping[str, Any]]
"""A recipe's words on its inputs, by source name; None stands for the only picture input."""


def preprocessing_of(raw: Graph, specs: Sequence[InputSpec], pixels: PixelOptions, told: Told | None = None) -> dict[str, Preprocessing]:
    """How each input is fed, by source name.

    Args:
        raw: The graph as read, before its scaling is folded away.
        specs: Its inputs.
        pixels: What flags say about the only picture input; they go before the recipe.
        told: What the recipe says.

    Raises:
        UsageError: If flags were given and there is not exactly one picture input, or the recipe names an input that there is not.
    """
    pictures = [s.name for s in specs if s.picture]
    told = told or {}
    for name in told:
        if name is not None and name not in {s.name for s in specs}:
            raise unknown_name("input", name, [s.name for s in specs])
    said = pixels != PixelOptions() or None in told
    if said and len(specs) > 1 and len(pictures) != 1:
        raise UsageError(
            f"--mean, --std, --color, --resize and [input] describe the only picture input, but there are {len(pictures)}",
            hint="say it in a recipe file, [input.NAME] for each, or give --samples as an .npz with one key an input, preprocessed",
        )
    described = pictures[0] if len(pictures) == 1 else specs[0].name
    scaled = {p.source_name for p in raw.inputs if scales_itself(raw, p.name)}
    found = {}
    for spec in specs:
        words = told.get(spec.name) or {}
        if spec.name == described:
            words = {**(told.get(None) or {}), **words, **_given(pixels)}
        found[spec.name] = make(spec.channels, known=spec.name in scaled, **words)
    return found


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


def _given(pixels: PixelOptions) -> dict[str, Any]:
    said = {"mean": pixels.mean, "std": pixels.std, "color": pixels.color, "resize": pixels.resize}
    return {name: value for name, value in said.items() if value is not None}
