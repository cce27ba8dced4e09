"""A bundle's file on ARM: its outputs there against the bundle's own reference, and the layers where they leave it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.bundle import Bundle, Reference
from exporter.devices.container import ContainerLauncher
from exporter.errors import EngineError
from exporter.parity import Limits
from exporter.proving.begins import Beginning
from exporter.proving.judge import as_dicts, findings, judged
from exporter.proving.subject import Subject, bundled

SAMPLES = 4
"""Of the bundle's own: emulated engines take 10 to 30 times as long."""

EXACT = ("fp32", "fp16")
"""Precisions that lose nothing on purpose."""

MOST_NAMED = 3

Locate = Callable[[Subject, ContainerLauncher, Mapping[str, Array]], Sequence[Beginning]]
"""Runs a file layer by layer in a place, on inputs by source name: where it begins to be wrong."""

Facts = dict[str, Any]


def on_arm(
    bundle: Bundle, kept: Reference, launchers: Sequence[ContainerLauncher], *, locate: Locate, threads: int | None = None
) -> list[Facts]:
    """Run a bundle's file on each core; one entry a core.

    Args:
        bundle: The bundle.
        kept: Inputs, and what they must give; the first four samples are used.
        launchers: A core each.
        locate: Finds the layers, where outputs are wrong.
        threads: Of the engine; None for the bundle's own.
    """
    subject, few = bundled(bundle, threads), _first(kept)
    for launcher in launchers:
        launcher.platform.require_engine(subject.runtime)
    exact = bundle.manifest["precision"] in EXACT
    host = None if exact else _run(subject, None, few.inputs)[0]
    return [_entry(bundle, subject, few, launcher, host=host, locate=locate) for launcher in launchers]


def _first(kept: Reference) -> Reference:
    return Reference(*({name: x[:SAMPLES] for name, x in part.items()} for part in (kept.inputs, kept.reference, kept.graph)))


def _run(subject: Subject, launcher: ContainerLauncher | None, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], Facts]:
    with subject.open(launcher) as engine:
        return subject.run(engine, inputs), {"engine": engine.facts["engine"], "version": engine.facts["version"]}


def _entry(
    bundle: Bundle, subject: Subject, kept: Reference, launcher: ContainerLauncher, *, host: dict[str, Array] | None, locate: Locate
) -> Facts:
    facts: Facts = {"name": subject.name, "on": f"docker:{launcher.platform.name}", "cpu": launcher.core and launcher.core.name}
    try:
        got, engine = _run(subject, launcher, kept.inputs)
    except EngineError as problem:
        return {**facts, "runner": launcher.facts(), "verdict": f"{subject.name} {_there(facts)}: {problem.message}", "ok": False,
                "crashed": True}  # fmt: skip
    exact = host is None
    ends = {p["source_name"]: p.get("ends_in") if exact else None for p in bundle.manifest["outputs"]}
    half = launcher.half and bool(subject.options.get("use_fp16_arithmetic"))
    parity, fidelity = (findings(ends, reference, got, half=half) for reference in (kept.graph, kept.reference))
    facts |= {
        **engine, "samples": len(next(iter(kept.inputs.values()))), "runner": launcher.facts(), "parity": as_dicts(parity),
        "fidelity": as_dicts(fidelity), "host": None if host is None else equality(subject, host, got), "begins": [],
    }  # fmt: skip
    against = {"the graph it was written from": parity}
    lost = not exact or bundle.manifest.get("compression") is not None
    whole = against if lost else {**against, "the source's own outputs": fidelity}
    limits = Limits(**bundle.manifest["limits"])
    verdict = judged({**facts, "name": f"{subject.name} {_there(facts)}"}, whole, limits)
    if not verdict["ok"]:
        begins = locate(subject, launcher, kept.inputs)
        verdict["begins"] = [b.as_dict() for b in begins]
        verdict["verdict"] += _begins(begins)
    return {**verdict, "name": subject.name}


def _there(facts: Facts) -> str:
    return f"on {facts['on']}" + (f" ({facts['cpu']})" if facts["cpu"] else "")


def _begins(begins: Sequence[Beginning]) -> str:
    """Where it begins, in words."""
    if not begins:
        return "; no layer that can be looked into is wrong"
    named = "; ".join(f"{b.layer} ({b.op}): {b.how}" for b in begins[:MOST_NAMED])
    more = f"; and {len(begins) - MOST_NAMED} more" if len(begins) > MOST_NAMED else ""
    return f"; it begins in {named}{more}"


def equality(subject: Subject, host: Mapping[str, Array], got: Mapping[str, Array]) -> Facts:
    """An integer file's outputs there against those on this computer: equal bit for bit, or how many differ by how many steps."""
    scales = {e.tensor.graph_name: e.tensor.scale for e in subject.outputs}
    differing, total, steps = 0, 0, 0.0
    for name, here in host.items():
        off = np.abs(got[name].astype(np.float64) - here.astype(np.float64))
        differing, total = differing + int(np.count_nonzero(got[name] != here)), total + here.size
        scale = scales[name]
        if scale is not None:
            steps = max(steps, float(off.max(initial=0.0)) / scale)
    return {"equal": differing == 0, "differing": differing / total, "steps": round(steps) if any(scales.values()) else None}
