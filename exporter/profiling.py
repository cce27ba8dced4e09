"""Exact cost: instructions of one inference on emulated ARM cores, layer by layer. What `mexport profile` calls."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.console import Console
from exporter.cost.counting import TIMEOUT_S, Counter, Tools
from exporter.cost.load import Counted
from exporter.devices.platforms import Platform, find_platform
from exporter.place import DOCKER, require_kind
from exporter.proving.subject import Subject, subjects
from exporter.store import Store

Shapes = Mapping[str | None, tuple[int, ...]]
Result = dict[str, Any]


def profile_path(
    path: Path,
    *,
    on: str = "docker:arm64",
    cores: Sequence[str] = (),
    caches: bool = False,
    input_shapes: Shapes | None = None,
    timeout_s: float = TIMEOUT_S,
    seed: int = 0,
    tools: Tools | None = None,
    store: Store | None = None,
    console: Console | None = None,
) -> list[Result]:
    """Count a bundle, every bundle in a folder, or a bare file, on each core; one thread, in the steady state.

    Args:
        path: What.
        on: "docker:arm64" or "docker:armv7": whose instructions.
        cores: qemu's names; none for the platform's first.
        caches: Count misses of the core's caches too.
        input_shapes: Of a bare file that does not tell them.
        timeout_s: Limit of one run under emulation.
        seed: Of the noise that bare files are fed; bundles get the first sample of their reference.
        tools: What was built elsewhere.
        store: Where counts are kept; the user's when None.
        console: Where progress goes.

    Raises:
        DeviceError: If the place is no emulated ARM.
        ToolError: If qemu, its plugin support or a C compiler is missing.
        EngineError: If an engine does not exist there, crashes or takes too long.
    """
    platform = find_platform(require_kind(on, DOCKER, what="counting instructions").name)
    voice = console or Console(quiet=True)
    names = tuple(dict.fromkeys(cores)) or (next(iter(platform.cores)),)
    for name in names:
        platform.core(name)
    every = subjects(path, threads=1, shapes=input_shapes or {})
    with store or Store() as kept:
        counters = [Counter(kept, n, platform, caches=caches, tools=tools, timeout_s=timeout_s, console=voice) for n in names]
        return [_one(s, c, platform, seed, voice) for s in every for c in counters]


def _one(subject: Subject, counter: Counter, platform: Platform, seed: int, console: Console) -> Result:
    with console.stage(f"counting {subject.name} on {counter.machine.core.name}"):
        found = counter.count(subject.load(seed), layers=True)
    return facts_of(subject.name, found, f"{DOCKER}:{platform.name}")


def facts_of(name: str, found: Counted, on: str) -> Result:
    """A count as JSON has it: shares beside the numbers."""
    total = max(found.whole.total, 1)
    plain = found.as_dict()
    layers = [{**layer, "share": layer["counts"]["total"] / total} for layer in plain.pop("layers")]
    return {
        "name": name, "kind": "counted", "unit": "instructions", "on": on, **plain, "shares": found.shares(),
        "tensor_share": found.tensor.total / total, "beside_share": found.beside.total / total,
        "non_tensor_share": (sum(x.counts.total for x in found.layers) - found.tensor.total) / total,
        "layers_over_whole": found.layers_over_whole, "beside": found.beside.as_dict(), "kinds": _kinds(found), "layers": layers,
    }  # fmt: skip


def _kinds(found: Counted) -> list[Result]:
    """Layers of one kind together, the costliest first."""
    rows: dict[str, Result] = {}
    for layer in found.layers:
        row = rows.setdefault(layer.kind, {"kind": layer.kind, "tensor_work": layer.tensor_work, "layers": 0, "total": 0})
        row["layers"] += 1
        row["total"] += layer.counts.total
    ordered = sorted(rows.values(), key=lambda row: -row["total"])
    return [{**row, "share": row["total"] / max(found.whole.total, 1)} for row in ordered]
