"""A Graph on disk: `graph.onnx`, its weights beside it (mapped into memory when read), and the ports."""

import json
from dataclasses import asdict
from pathlib import Path

import onnx_ir as ir

from exporter.disk import disk_errors
from exporter.graph.model import Graph, Port


def save_graph(graph: Graph, folder: Path) -> None:
    """Write a graph into an existing folder.

    Raises:
        DiskError: If the disk is full.
    """
    ports = {"name": graph.name, "inputs": [asdict(p) for p in graph.inputs], "outputs": [asdict(p) for p in graph.outputs]}
    with disk_errors(folder):
        ir.save(graph.model, folder / "graph.onnx", external_data="weights.bin", size_threshold_bytes=1024)
        (folder / "ports.json").write_text(json.dumps(ports))


def load_graph(folder: Path) -> Graph:
    """Read a graph that `save_graph` wrote; its big weights stay mapped to the file, which may be unlinked meanwhile."""
    ports = json.loads((folder / "ports.json").read_text())
    inputs, outputs = (tuple(Port(**{**p, "perm": tuple(p["perm"])}) for p in ports[k]) for k in ("inputs", "outputs"))
    model = ir.load(folder / "graph.onnx")
    for value in model.graph.initializers.values():
        if isinstance(value.const_value, ir.ExternalTensor):
            value.const_value = ir.Tensor(value.const_value.numpy(), name=value.name)
    return Graph(model, inputs, outputs, ports["name"])
