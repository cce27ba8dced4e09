"""Arrays of all inputs or outputs between the source's names and layout and the Graph's."""

from collections.abc import Mapping, Sequence

from exporter.array import Array
from exporter.graph.model import Port


def to_graph(ports: Sequence[Port], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays by source name and layout, as Graph values."""
    return {p.name: p.to_graph(arrays[p.source_name]) for p in ports}


def to_source(ports: Sequence[Port], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Graph outputs by source name and in the source's layout."""
    return {p.source_name: p.to_source(arrays[p.name]) for p in ports}
