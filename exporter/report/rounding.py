"""The report's words on int8: with which data it was calibrated, what was chosen, what helped, which layers lose most."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from exporter.report.markdown import table

Facts = Mapping[str, Any]

MOST_NAMES = 5
"""Names written out of a longer list."""

WORST = 8
"""Layers in the table."""

REPAIRS = {
    "calibrators": "a calibrator for each value", "equalise": "cross-layer equalisation", "correct": "bias correction",
    "adaround": "adaptive rounding", "narrow": "scores as far as a softmax tells them apart", "qat": "training with rounded numbers",
}  # fmt: skip
"""What is tried against int8's loss, in words."""


def calibration(m: Facts) -> str:
    """The data, and what the linter said of them."""
    c = m["calibration"]
    if not c:
        return ""
    names = ", ".join(f"`{name}`" for name in c["names"][:MOST_NAMES])
    more = f" and {len(c['names']) - MOST_NAMES} more" if len(c["names"]) > MOST_NAMES else ""
    text = f"## Calibration\n\n{c['samples']} samples, sha256 `{c['sha256']}`: {names}{more}."
    rows = [(f["severity"], f["kind"], f["message"], "accepted by hand" if f["kind"] in c.get("accepted", ()) else "")
            for f in c.get("findings", ())]  # fmt: skip
    return f"{text}\n\n{table(('', 'finding', '', ''), rows)}" if rows else text


def quantization(m: Facts) -> str:
    """What was rounded and how, what repairs gave, what stays float and why, the worst layers."""
    q = m.get("quantization")
    if not q:
        return ""
    parts = ["## Quantization", _chosen(m, q), _repairs(q["repairs"]), _spared(q.get("spared", ())), _floats(q["kept_float"]), _worst(q)]
    return "\n\n".join(filter(None, parts))


def _chosen(m: Facts, q: Facts) -> str:
    counts = Counter(v["calibrator"] for v in q["values"])
    chosen = ", ".join(f"{name} ({n})" for name, n in counts.most_common())
    asked = m["calibration"] or {}
    how = f" Calibrator asked for: {asked['calibrator']}; repair: {asked['repair']}." if "calibrator" in asked else ""
    return f"{q['layers']} layers run in integers; {len(q['values'])} values are rounded, their ranges by: {chosen or 'none'}.{how}"


def _repairs(repairs: Sequence[Facts]) -> str:
    rows = [
        (REPAIRS.get(r["name"], r["name"]), "kept" if r["kept"] else "no gain, left out", f"{r['before']['sqnr_db']:.2f}",
         f"{r['after']['sqnr_db']:.2f}", _kl(r["before"]), _kl(r["after"]), len(r["layers"]))
        for r in repairs
    ]  # fmt: skip
    head = ("tried", "", "SQNR before, dB", "after", "KL before", "after", "layers or values")
    return f"Measured on calibration samples that it was not made from:\n\n{table(head, rows, range(2, 7))}" if rows else ""


def _spared(names: Sequence[str]) -> str:
    said = ", ".join(REPAIRS.get(name, name) for name in names)
    return f"Not tried, as it takes long for this model: {said}; `--repair thorough` does." if said else ""


def _kl(loss: Facts) -> str:
    return "" if loss.get("kl") is None else f"{loss['kl']:.2e}"


def _floats(kept: Facts) -> str:
    return f"Layers kept in float:\n\n{table(('layer', 'why'), list(kept.items()))}" if kept else ""


def _worst(q: Facts) -> str:
    """Losses are those on the samples of the proof; what is cut off is counted over all calibration data, as the range seen is."""
    worst = sorted(q.get("layer_losses", ()), key=lambda layer: float(layer["sqnr_db"]))[:WORST]
    cut = {v["value"]: v["saturated"] for v in q["values"]}
    rows = [
        (layer["layer"], layer["op"], f"{layer['sqnr_db']:.1f}", _range(layer["seen"]), _range(layer["used"]),
         f"{100 * cut.get(layer['value'], layer['saturated']):.2g} %", layer["calibrator"] or "")
        for layer in worst
    ]  # fmt: skip
    head = ("layer", "operator", "SQNR, dB", "range seen", "range used", "cut off", "calibrator")
    text = "The layers that lose most, everything before them included; `mexport verify --layers` shows all"
    return f"{text}:\n\n{table(head, rows, (2, 5))}" if rows else ""


def _range(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.3g} … {ends[1]:.3g}"
