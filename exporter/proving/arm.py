"""A bundle's file on ARM: its outputs there against the bundle's own reference, and the layers where they leave it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.bundle import Bundle, Reference
from exporter.child import Child
from exporter.devices.container import ContainerLauncher
from exporter.errors import EngineError
from exporter.parity import Limits, in_double
from exporter.proving.begins import Beginning, Inside, named
from exporter.proving.judge import as_dicts, findings, judged
from exporter.proving.subject import Subject, bundled

SAMPLES = 4
"""Of the bundle's own: emulated engines take 10 to 30 times as long."""

EXACT = ("fp32", "fp16")
"""Precisions that lose nothing on purpose."""


Look = Callable[[Child, Mapping[str, Array]], Inside | None]
"""Runs a file layer by layer in an engine that has it open, on inputs by source name; None where its layers cannot be told."""

Facts = dict[str, Any]
UNTOLD = "its layers cannot be told: the source or its cached graph has gone, or the engine failed on the way to them"


def on_arm(
    bundle: Bundle, kept: Reference, launchers: Sequence[ContainerLauncher], *, look: Look, threads: int | None = None
) -> list[Facts]:
    """Run a bundle's file on each core; one entry a core.

    Args:
        bundle: The bundle.
        kept: Inputs, and what they must give; the first four samples are used.
        launchers: A core each.
        look: Gives the layers, where outputs are wrong, or an integer file's differ from this computer's.
        threads: Of the engine; None for the bundle's own.
    """
    subject, few = bundled(bundle, threads), _first(kept)
    for launcher in launchers:
        launcher.platform.require_engine(subject.runtime)
    asked = _Asked(bundle, subject, few, look, None if bundle.manifest["precision"] in EXACT else _here(subject, few))
    return [_entry(asked, launcher) for launcher in launchers]


def _first(kept: Reference) -> Reference:
    return Reference(*({name: x[:SAMPLES] for name, x in part.items()} for part in (kept.inputs, kept.reference, kept.graph)))


def _here(subject: Subject, kept: Reference) -> dict[str, Array]:
    with subject.open() as engine:
        return subject.run(engine, kept.inputs)


@dataclass(frozen=True)
class _Asked:
    """What is run on each core, and what an integer file gives on this computer: its outputs, and its layers when first asked for."""

    bundle: Bundle
    subject: Subject
    kept: Reference
    look: Look
    here: dict[str, Array] | None

    @cached_property
    def inside_here(self) -> Inside | None:
        with self.subject.open() as engine:
            return self.inside(engine)

    def inside(self, engine: Child) -> Inside | None:
        """The layers; an engine that gave its outputs and fails on the way to inner values leaves the verdict without names."""
        try:
            return self.look(engine, self.kept.inputs)
        except EngineError:
            return None


def _entry(asked: _Asked, launcher: ContainerLauncher) -> Facts:
    subject = asked.subject
    facts: Facts = {"name": subject.name, "on": f"docker:{launcher.platform.name}", "cpu": launcher.core and launcher.core.name}
    facts["runner"] = launcher.facts()
    try:
        with subject.open(launcher) as engine:
            return _judged(asked, launcher, engine, facts)
    except EngineError as problem:
        return {**facts, "verdict": f"{subject.name} {_there(facts)}: {problem.message}", "ok": False, "crashed": True}


def _judged(asked: _Asked, launcher: ContainerLauncher, engine: Child, facts: Facts) -> Facts:
    subject, kept, manifest = asked.subject, asked.kept, asked.bundle.manifest
    got = subject.run(engine, kept.inputs)
    exact = asked.here is None
    ends = {p["source_name"]: p.get("ends_in") if exact else None for p in manifest["outputs"]}
    half = launcher.half and bool(subject.options.get("use_fp16_arithmetic"))
    parity, fidelity = (findings(ends, reference, got, half=half) for reference in (kept.graph, kept.reference))
    facts = {
        **facts, **{key: engine.facts[key] for key in ("engine", "version")}, "samples": len(next(iter(kept.inputs.values()))),
        "parity": as_dicts(parity), "fidelity": as_dicts(fidelity), "begins": [],
        "host": None if asked.here is None else _beside_host(asked, engine, asked.here, got),
    }  # fmt: skip
    against = {"the graph it was written from": parity}
    lost = not exact or manifest.get("compression") is not None
    whole = against if lost else {**against, "the source's own outputs": fidelity}
    limits = Limits(**manifest["limits"])
    verdict = judged({**facts, "name": f"{subject.name} {_there(facts)}"}, whole, limits)
    if not verdict["ok"]:
        inside = asked.inside(engine)
        begins = inside.wrong(limits) if inside else []
        verdict["begins"] = [b.as_dict() for b in begins]
        verdict["verdict"] += _begins(begins) if inside else f"; {UNTOLD}"
    return {**verdict, "name": subject.name}


def _beside_host(asked: _Asked, engine: Child, here: Mapping[str, Array], got: Mapping[str, Array]) -> Facts:
    """An integer file's outputs there against those on this computer; where they differ, the layers in which that begins."""
    facts = equality(asked.subject, here, got)
    there = None if facts["equal"] else asked.inside(engine)
    if facts["equal"] or there is None or asked.inside_here is None:
        return {**facts, "begins": [] if facts["equal"] else None}
    return {**facts, "begins": [b.as_dict() for b in there.differing(asked.inside_here)]}


def _there(facts: Facts) -> str:
    return f"on {facts['on']}" + (f" ({facts['cpu']})" if facts["cpu"] else "")


def _begins(begins: Sequence[Beginning]) -> str:
    """Where it begins, in words."""
    return f"; it begins in {named(facts)}" if (facts := [b.as_dict() for b in begins]) else "; no layer that can be looked into is wrong"


def equality(subject: Subject, host: Mapping[str, Array], got: Mapping[str, Array]) -> Facts:
    """An integer file's outputs there against those on this computer: equal bit for bit, or how many differ by how many steps."""
    scales = {e.tensor.graph_name: e.tensor.scale for e in subject.outputs}
    differing, total, steps = 0, 0, 0.0
    for name, here in host.items():
        off = np.abs(in_double(got[name]) - in_double(here))
        differing, total = differing + int(np.count_nonzero(got[name] != here)), total + here.size
        scale = scales[name]
        if scale is not None:
            steps = max(steps, float(off.max(initial=0.0)) / scale)
    return {"equal": differing == 0, "differing": differing / total, "steps": round(steps) if any(scales.values()) else None}
