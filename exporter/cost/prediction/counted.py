"""Instructions of the published nets on emulated cores: tables/ncnn_counts.json, made by benchmarks/ncnn_counts.py."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.cost.instructions import NONE, Counts
from exporter.cost.prediction.published import FOLDER
from exporter.resources import data_folder


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of one inference; what is no layer (outputs unpacked, the extractor made) has its kind in brackets.

    Attributes:
        kind: As ncnn calls it.
        macs: Multiply-accumulates of a convolution or matrix product, else 0.
        counts: Its instructions; classes that the table leaves out are 0.
    """

    kind: str
    macs: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class NetCount:
    """One inference of a net on a core."""

    layers: tuple[Layer, ...]

    def whole(self) -> Counts:
        """All layers together."""
        return sum((layer.counts for layer in self.layers), NONE)

    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)


@functools.cache
def counted() -> Mapping[str, Mapping[str, NetCount]]:
    """Core to net to what it counts; read once."""
    return parse(json.loads((data_folder(FOLDER) / "ncnn_counts.json").read_text(encoding="utf-8")))


def parse(facts: Mapping[str, Any]) -> dict[str, dict[str, NetCount]]:
    """The table as its file has it."""
    columns = facts["about"]["columns"][2:]
    found: dict[str, dict[str, NetCount]] = {}
    for row in facts["counts"]:
        layers = (Layer(kind, macs, Counts(**dict(zip(columns, counts, strict=True)))) for kind, macs, *counts in row["layers"])
        found.setdefault(row["core"], {})[row["net"]] = NetCount(tuple(layers))
    return found
