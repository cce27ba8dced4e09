"""Findings on outputs, and the verdict they add up to."""

from collections.abc import Mapping
from typing import Any

from exporter.array import Array
from exporter.errors import ParityError
from exporter.graph.sizes import BOUNDED_SIZE
from exporter.parity import Limits, before_activation, compare
from exporter.proving.proof import Finding, Findings, require


def judged(facts: dict[str, Any], found: Mapping[str, Findings], limits: Limits) -> dict[str, Any]:
    """The facts with a verdict in words, and the error if there is one."""
    for against, findings_ in found.items():
        try:
            require(findings_, limits, what=facts["name"], against=against, where=facts.get("first_divergence"))
        except ParityError as problem:
            return {**facts, "verdict": problem.message, "ok": False}
    return {**facts, "verdict": "equal within its limits", "ok": True}


def findings(ends: Mapping[str, str | None], reference: Mapping[str, Array], got: Mapping[str, Array], *, half: bool = False) -> Findings:
    """Outputs against what they must be; where one ends in a Softmax or Sigmoid, what goes into it too.

    Args:
        ends: Output name to the operator it ends in, if that is one of the two.
        reference: By output name.
        got: Likewise.
        half: Whether they were computed in half precision.
    """
    found: Findings = {}
    for name, op in ends.items():
        y = got[name]
        ref = reference[name].reshape(y.shape) if reference[name].size == y.size else reference[name]
        inside = (before_activation(op, ref, half=half), before_activation(op, y, half=half)) if op else None
        found[name] = Finding(compare(ref, y, BOUNDED_SIZE if op == "Sigmoid" else 0.0), compare(*inside) if inside else None)
    return found


def as_dicts(found: Findings) -> dict[str, Any]:
    """For JSON."""
    return {name: f.as_dict() for name, f in found.items()}
