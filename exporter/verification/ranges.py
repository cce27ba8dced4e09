"""Layers of rounded files: what each loses and what range it has, and all bundles' layers in one view."""

from collections.abc import Mapping, Sequence
from typing import Any

RANGE = ("calibrator", "dtype", "scale", "zero_point", "seen", "used", "saturated")
"""What a manifest says of a rounded value."""

Facts = Mapping[str, Any]


def with_ranges(layers: Sequence[dict[str, Any]], manifest: Facts) -> list[dict[str, Any]]:
    """Layers with what the manifest says of their values."""
    known = {v["value"]: v for v in (manifest.get("quantization") or {}).get("values", ())}
    return [{**layer, "range": {k: known[layer["value"]][k] for k in RANGE} if layer["value"] in known else None} if "real" in layer
            else layer for layer in layers]  # fmt: skip


def view(bundles: Sequence[Facts]) -> list[dict[str, Any]]:
    """One entry a layer, in the Graph's order: its value, operator, and by bundle the SQNR against float and the range.

    Bundles whose files are not rounded, and layers that a file fused away, are left out.
    """
    rows: dict[str, dict[str, Any]] = {}
    order: list[str] = []
    for bundle in bundles:
        at = 0
        for layer in bundle.get("layers", ()):
            if "real" not in layer:
                continue
            value = layer["value"]
            if value not in rows:
                rows[value] = {"layer": layer["layer"], "op": layer["op"], "value": value, "bundles": {}}
                order.insert(at, value)
            at = order.index(value) + 1
            entry = {"sqnr_db": layer["real"]["sqnr_db"], "parity_db": layer["sqnr_db"], "range": layer["range"]}
            rows[value]["bundles"][bundle["name"]] = entry
    return [rows[value] for value in order]
