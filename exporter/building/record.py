"""The manifest of a build: every fact that the report, the runners and the app need."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exporter.building.basis import Basis
from exporter.building.common import Common
from exporter.building.compressed import Compressed
from exporter.building.order import Order
from exporter.building.prove import Proof
from exporter.building.stages import source_shape
from exporter.building.versions import tool_versions
from exporter.bundle import Manifest, artifact_facts
from exporter.cost.count import totals
from exporter.data.synthetic import input_range_known
from exporter.formats import Artifact, Tensor
from exporter.graph import Graph, Port
from exporter.proving.proof import endings

LAYOUTS = {
    (0, 1, 2, 3): "nchw", (0, 2, 3, 1): "nhwc", (1, 2, 3): "chw", (2, 3, 1): "hwc", (0, 1, 2): "ncl", (0, 2, 1): "nlc", (1, 2): "cl",
    (2, 1): "lc",
}  # fmt: skip
"""Axes of a file's tensor, as Graph axes, in words."""


def manifest(common: Common, order: Order, basis: Basis, *, artifact: Artifact, proof: Proof, numbers: list[dict[str, Any]]) -> Manifest:
    """Everything about a build but the files, which the bundle adds."""
    asked = proof.limits
    checks = {"max_rel": asked.max_rel, "min_sqnr_db": asked.min_sqnr_db}
    count = len(next(iter(common.samples.values())))
    return {
        "schema": 1,
        "name": common.source.name,
        "build_key": order.build_key,
        "write": asdict(order.options),
        "source": source_facts(common, order.folder),
        "inputs": ports(common.graph, common.graph.inputs, artifact.inputs),
        "outputs": ports(common.graph, common.graph.outputs, artifact.outputs),
        "preprocessing": {name: prep.as_dict() for name, prep in common.preprocessing.items()},
        "target": order.target.as_dict(),
        "precision": order.precision,
        "runtime_options": {**order.runtime_options, "threads": order.threads},
        "steps": [*common.steps, *basis.steps],
        "compression": compression(common.compressed),
        "calibration": basis.calibration,
        "quantization": basis.quantization,
        "parity": {name: f.as_dict() for name, f in proof.parity.items()},
        "fidelity": {name: f.as_dict() for name, f in proof.fidelity.items()},
        "limits": checks,
        "artifact": artifact_facts(artifact),
        "load": common.load_options.to_json(),
        "notes": [*notes(common), *basis.notes, *_in_float(artifact)],
        "samples": {"n": count, "from": samples_name(common), "input_range_known": input_range(common)},
        "numbers": [*numbers, *_sizes(common, artifact)],
        "tools": tool_versions(),
        "command": common.options.command,
        "seed": common.options.seed,
    }


def compression(made: Compressed | None) -> dict[str, Any] | None:
    """What was compressed with what, and the model before and after each step."""
    return None if made is None else {"key": made.key, **made.facts, "table": list(made.table)}


def source_facts(common: Common, folder: Path = Path()) -> dict[str, Any]:
    """What was built from; its path as seen from a folder."""
    info = common.source.info
    path = os.path.relpath(info.path.resolve(), folder.resolve())
    return {"path": path, "sha256": info.sha256, "format": info.format, "framework": info.framework, "version": info.version}


def samples_name(common: Common) -> str:
    """What was verified with: the user's data by name, some of those int8 is calibrated or the model trained with, or "synthetic"."""
    given = common.options
    if given.samples is not None:
        return Path(given.samples).name
    if given.calibration is not None:
        return f"{Path(given.calibration).name}, with which it was calibrated"
    return f"{Path(given.train).name}, with which it was trained" if given.train is not None else "synthetic"


def notes(common: Common) -> list[str]:
    """What a reader must know."""
    if input_range(common):
        return common.notes
    return [
        *common.notes,
        "input range unknown: verified on random numbers of mean 0 and deviation 1; say it with --mean and --std, or give --samples",
    ]


def _in_float(artifact: Artifact) -> list[str]:
    """Layers of an integer file that run in float, with the writer's reasons."""
    if not artifact.floats:
        return []
    named = "; ".join(f"{p.layer} ({p.op}): {p.reason}" for p in artifact.floats)
    return [f"{len(artifact.floats)} layer{'s' * (len(artifact.floats) > 1)} of this integer file run in float: {named}"]


def input_range(common: Common) -> bool:
    """Whether the samples are what the model expects: the user's own, or pixels through a preprocessing that is known."""
    given = (common.data, common.calibration_data, common.train_data)
    return any(data is not None for data in given) or input_range_known(common.specs, common.preprocessing)


def ports(graph: Graph, sources: Sequence[Port], tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
    """Inputs or outputs: the source's name and the file's, and how their axes stand to each other."""
    ends = endings(graph)
    return [
        {
            "source_name": p.source_name, "name": t.name, "shape": list(t.shape), "dtype": t.dtype, "layout": LAYOUTS.get(t.perm, "plain"),
            "scale": t.scale, "zero_point": None if t.scale is None else t.zero_point,
            "source_shape": list(source_shape(graph, p)), "source_layout": p.layout,
            "perm": [p.perm[axis] for axis in t.perm], "ends_in": ends[p.name].op if p.name in ends else None,
        }
        for p, t in zip(sources, tensors, strict=True)
    ]  # fmt: skip


def _sizes(common: Common, artifact: Artifact) -> list[dict[str, Any]]:
    whole = totals(common.graph)
    facts = {"kind": "counted", "engine": "mexport", "on": "host", "n": 1, "statistic": "single"}
    size = sum(f.stat().st_size for f in artifact.files)
    return [
        {"name": "params", "value": whole.params, "unit": "1", **facts},
        {"name": "macs", "value": whole.macs, "unit": "1", **facts},
        {"name": "flops", "value": 2 * whole.macs, "unit": "1", **facts},
        {"name": "memory_access", "value": whole.mac_elements, "unit": "elements", **facts},
        {"name": "file_bytes", "value": size, "unit": "bytes", **facts},
    ]
