"""A Graph on disk: `graph.onnx`, its weights beside it (mapped into memory when read), and the ports."""

import json
from dataclasses import asdict
from pathlib import Path

import onnx_ir as ir

from exporter.graph.model import Graph, Port


def save_graph(graph: Graph, folder: Path) -> None:
    """Write a graph into an existing folder."""
    ir.save(graph.model, folder / "graph.onnx", external_data="weights.bin", size_threshold_bytes=1024)
    ports = {"name": graph.name, "inputs": [asdict(p) for p in graph.inputs], "outputs": [asdict(p) for p in graph.outputs]}
    (folder / "ports.json").write_text(json.dumps(ports))


def load_graph(folder: Path) -> Graph:
    """Read a graph that `save_graph` wrote; big weights stay on disk until used."""
    ports = json.loads((folder / "ports.json").read_text())
    inputs, outputs = (tuple(Port(**{**p, "perm": tuple(p["perm"])}) for p in ports[k]) for k in ("inputs", "outputs"))
    return Graph(ir.load(folder / "graph.onnx"), inputs, outputs, ports["name"])
