"""A manifest as a build makes it, for tests of what is built on one."""

import hashlib
from pathlib import Path
from typing import Any

from exporter.bundle import artifact_facts
from exporter.formats.artifact import Artifact, Tensor
from exporter.preprocessing import Preprocessing
from exporter.target import load_target

SHA = hashlib.sha256(b"").hexdigest()
COMPARISON = {"max_abs": 1e-6, "rel": 2e-6, "sqnr_db": 120.5, "cosine": 1.0, "top1_agreement": 1.0, "n": 8}


def number(name: str, value: float, unit: str, **changes: Any) -> dict[str, Any]:
    """One of a manifest's numbers."""
    return {"name": name, "value": value, "unit": unit, "kind": "native", "engine": "mexport", "on": "host", "n": 1,
            "statistic": "single", **changes}  # fmt: skip


def port(tensor: Tensor, layout: str, source_name: str) -> dict[str, Any]:
    """One of a manifest's inputs or outputs."""
    return {"source_name": source_name, "name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype, "layout": layout,
            "scale": None, "zero_point": None}  # fmt: skip


def manifest_for(artifact: Artifact, layout: str, prep: Preprocessing, target: str, **changes: Any) -> dict[str, Any]:
    """The manifest of a model with one input `images` in that layout, and one output `scores`."""
    return {
        "name": "net", "build_key": SHA,
        "source": {"path": "net.keras", "sha256": SHA, "format": "keras", "framework": "keras", "version": "3.15.1"},
        "inputs": [port(artifact.inputs[0], layout, "images")],
        "outputs": [port(artifact.outputs[0], "plain", "scores")],
        "preprocessing": {"images": prep.as_dict()},
        "samples": {"n": 8, "from": "synthetic", "input_range_known": not prep.assumed},
        "target": load_target(target).as_dict(),
        "precision": "fp32", "runtime_options": {"threads": 1},
        "steps": [], "calibration": None,
        "parity": {"scores": {**COMPARISON, "before_activation": COMPARISON}}, "fidelity": {"scores": COMPARISON},
        "limits": {"max_rel": 1e-4, "min_sqnr_db": None},
        "numbers": [number("params", 1234567, "1", kind="counted"), number("seconds_write", 1.25, "s"),
                    number("peak_rss_verify_excluded", 3 << 20, "bytes")],
        "tools": {"python": "3.11.7", "mexport": "0.1.0"}, "command": "mexport build net.keras", "seed": 0,
        "artifact": artifact_facts(artifact),
        **changes,
    }  # fmt: skip


def plain_artifact(folder: Path) -> Artifact:
    """Files of an ncnn model that no engine will see."""
    files = (folder / "model.ncnn.param", folder / "model.ncnn.bin")
    for file in files:
        file.write_bytes(file.name.encode() * 100)
    inputs, outputs = (Tensor("in0", "images", (3, 8, 6), (1, 2, 3)),), (Tensor("out0", "scores", (10,), (1,)),)
    return Artifact("ncnn", files[0], files, "fp32", inputs, outputs, {})
