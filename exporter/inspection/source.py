"""Inspect a source: cleaned, as it would be written."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from exporter.building.stages import finished_graph, raw_graph, source_shape
from exporter.cost.count import layer_costs, totals
from exporter.formats import FORMATS, load_writer
from exporter.graph import Graph, Port
from exporter.sources.open import LoadOptions, open_source
from exporter.store import Store


def inspect_source(path: Path, options: LoadOptions) -> dict[str, Any]:
    """Layers of the cleaned and folded graph, with their costs; problems of every format."""
    with Store() as store, open_source(path, options) as source:
        info = source.info
        graph, _ = finished_graph(raw_graph(source, options, store))
    whole = totals(graph)
    return {
        "name": graph.name,
        "source": {"format": info.format, "framework": info.framework, "sha256": info.sha256},
        "inputs": {p.source_name: _port(graph, p) for p in graph.inputs},
        "outputs": {p.source_name: _port(graph, p) for p in graph.outputs},
        "layers": [asdict(c) for c in layer_costs(graph)],
        "totals": {**asdict(whole), "flops": 2 * whole.macs},
        "formats": {name: [asdict(p) for p in load_writer(name).check(graph)] for name in FORMATS},
    }


def _port(graph: Graph, port: Port) -> str:
    return f"{'x'.join(map(str, source_shape(graph, port)))} {port.layout} {port.dtype}"
