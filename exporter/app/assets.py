"""What the app knows of the models: each bundle's files, and an index in the engines' own terms, so that the app needs no numpy."""

import hashlib
import json
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from exporter import __version__
from exporter.array import Array
from exporter.bundle import Bundle
from exporter.errors import UsageError
from exporter.preprocessing import Preprocessing
from exporter.proving.subject import End, Subject, bundled

SCHEMA = 1
INDEX = "assets/models/index.json"
LABELS = "labels.txt"
MIN_SAMPLES = 4
"""Reference samples that the app always has."""

MAX_SAMPLES = 8
REFERENCE_BYTES = 1 << 20
"""More than the least go in while all inputs together stay below this."""

PRECISE = ("float32", "int8", "uint8", "int32", "int64")
"""Types of inputs and outputs that the app can fill and read."""


def entries(bundles: Sequence[Bundle]) -> dict[str, bytes]:
    """Entries of the APK for all bundles.

    Raises:
        UsageError: If two have the same name, or one has a tensor that the app cannot fill.
        IntegrityError: If a bundle's reference cannot be read.
    """
    names = [b.path.name for b in bundles]
    if doubled := sorted({n for n in names if names.count(n) > 1}):
        raise UsageError(f"two bundles are named {doubled[0]}", hint="build one of them with another --name")
    found: dict[str, bytes] = {}
    models = []
    for bundle in sorted(bundles, key=lambda b: b.path.name):
        facts, files = _model(bundle)
        models.append(facts)
        found |= {f"assets/models/{facts['name']}/{name}": data for name, data in files.items()}
    index = {"schema": SCHEMA, "made_by": f"mexport {__version__}", "models": models}
    return {**found, INDEX: json.dumps(index, indent=1, sort_keys=True).encode()}


def _model(bundle: Bundle) -> tuple[dict[str, Any], dict[str, bytes]]:
    """One bundle in the app's words, and its files by name."""
    facts, subject = bundle.manifest, bundled(bundle)
    for end in (*subject.inputs, *subject.outputs):
        if end.tensor.dtype not in PRECISE:
            raise UsageError(f"{subject.name}: {end.tensor.name} is {end.tensor.dtype}, which the app cannot fill", hint="--io float32")
    files = {name: (bundle.path / name).read_bytes() for name in facts["artifact"]["files"]}
    reference = _reference(bundle, subject)
    labels = bundle.path / LABELS
    extra = {"manifest.json": (bundle.path / "manifest.json").read_bytes(), **reference}
    extra |= {LABELS: labels.read_bytes()} if labels.is_file() else {}
    prep = facts["preprocessing"]
    model = {
        "name": subject.name, "engine": facts["target"]["format"], "precision": facts["precision"], "threads": subject.threads,
        "options": subject.options, "bytes": sum(map(len, files.values())), "main": facts["artifact"]["files"][0],
        "files": [_file(name, data) for name, data in sorted((files | extra).items())],
        "inputs": [_end(e, prep.get(e.tensor.graph_name)) for e in subject.inputs], "outputs": [_end(e, None) for e in subject.outputs],
        "labels": LABELS if labels.is_file() else None, "limits": facts.get("limits", {}), "samples": _count(reference, subject),
    }  # fmt: skip
    return model, files | extra


def _file(name: str, data: bytes) -> dict[str, Any]:
    return {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _end(end: End, prep: dict[str, Any] | None) -> dict[str, Any]:
    """An input or output; `perm` counts the source's axes, of which the file may lack the first."""
    t = end.tensor
    facts = {"name": t.name, "source_name": t.graph_name, "shape": list(t.shape), "perm": list(t.perm), "dtype": t.dtype, "scale": t.scale,
             "zero_point": t.zero_point, "source_shape": list(end.shape), "source_layout": end.layout}  # fmt: skip
    if prep is None:
        return facts
    p = Preprocessing.from_dict(prep)
    return {
        **facts,
        "preprocessing": {"mean": list(p.mean), "std": list(p.std), "color": p.color, "resize": p.resize, "assumed": p.assumed},
    }


def _reference(bundle: Bundle, subject: Subject) -> dict[str, bytes]:
    """Real numbers in each tensor's own layout, one sample after the other: what goes in, and what must come out (parity's side)."""
    kept = bundle.reference()
    n = _samples(kept.inputs)
    files = {f"in{i}.f32": _real(e, kept.inputs[e.tensor.graph_name][:n]) for i, e in enumerate(subject.inputs)}
    return files | {f"out{i}.f32": _real(e, kept.graph[e.tensor.graph_name][:n]) for i, e in enumerate(subject.outputs)}


def _real(end: End, samples: Array) -> bytes:
    """Samples in the source's layout as float32 in the file's, not quantized."""
    t = end.tensor
    axes = tuple(t.perm) if 0 in t.perm else tuple(a - 1 for a in t.perm)
    rows = [(row[None] if 0 in t.perm else row).transpose(axes) for row in samples]
    return np.ascontiguousarray(np.stack(rows), "<f4").tobytes()


def _samples(inputs: dict[str, Array]) -> int:
    total = min(len(x) for x in inputs.values())
    each = sum(x[0].size * 4 for x in inputs.values())
    return int(min(total, MAX_SAMPLES, max(MIN_SAMPLES, REFERENCE_BYTES // each)))


def _count(reference: dict[str, bytes], subject: Subject) -> int:
    elements: int = prod(subject.inputs[0].tensor.shape)
    return len(reference["in0.f32"]) // (4 * elements)
