"""Widths against latency: what `mexport sweep` calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from exporter.building.stages import finished_graph, raw_graph
from exporter.console import Console, Tick
from exporter.errors import UsageError
from exporter.place import host_name, require_host
from exporter.sources.open import LoadOptions, open_source
from exporter.store import Store
from exporter.sweeping import record
from exporter.sweeping.layers import distinct, site_named
from exporter.sweeping.sweep import PROCESSES, Sweep, measured_step, sweep
from exporter.sweeping.widths import COARSE, MOST, default_widths
from exporter.sweeping.words import conclusion, sentences
from exporter.target import load_target


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep that was written.

    Attributes:
        facts: What `sweep.json` holds.
        files: Paths by kind: json, csv, svg.
        sweeps: One a layer.
    """

    facts: Mapping[str, Any]
    files: Mapping[str, str]
    sweeps: tuple[Sweep, ...]


def sweep_model(
    path: Path,
    options: LoadOptions,
    target: str,
    output: Path,
    *,
    layer: str | None = None,
    widths: Sequence[int] = (),
    runs: int = 50,
    threads: int | None = None,
    seed: int = 0,
    on: str = "host",
    force: bool = False,
    console: Console | None = None,
) -> Swept:
    """Time layers of a source, each alone with its activation, at many widths in a target's engine, natively on this host.

    Args:
        path: The source.
        options: How it is read.
        target: Whose format, engine and threads.
        output: Folder for sweep.json, sweep.csv and sweep.svg.
        layer: Name of one layer; None: every distinct one, with fewer widths.
        widths: To try; empty: chosen by the layer's own.
        runs: Timed runs of each width.
        threads: Of the engine; None: the target's.
        seed: Of everything random.
        on: Where; only "host".
        force: Replace another sweep's files.
        console: Where progress goes.

    Raises:
        UsageError: If there is no such layer, widths make no sense, or the folder holds another sweep.
    """
    require_host(on, "sweep")
    aim, voice = load_target(target), console or Console(quiet=True)
    with Store() as store, voice.stage(f"reading {path.name}"), open_source(path, options) as source:
        info, name = source.info, source.name
        graph, _ = finished_graph(raw_graph(source, options, store))
    sites = [site_named(graph, layer)] if layer is not None else distinct(graph)
    if not sites:
        raise UsageError(f"{path.name} has no layer whose width can be tried", hint="`mexport inspect` lists its layers")
    identity = {"source_sha256": info.sha256, "target": aim.name, "asked": layer, "widths": list(widths)}
    record.check_folder(output, identity, force=force)
    count = threads or aim.threads
    tried = [(s, widths or default_widths(s.layer.rows, MOST if layer is not None else COARSE)) for s in sites]
    found, processes = list[Sweep](), PROCESSES if layer is not None else 1
    with voice.progress(f"timing {len(tried)} layer{'s' if len(tried) > 1 else ''}", len(tried) * runs) as tick:
        for i, (site, some) in enumerate(tried):
            one = partial(sweep, site, some, aim.format, rounds=runs, processes=processes, threads=count, seed=seed)
            found.append(one(tick=_after(tick, i * runs)))
    facts = {
        "schema": 1, "name": name, **identity, "format": aim.format, "engine": found[0].engine, "abi": aim.abi, "threads": count, "on": on,
        "kind": "native", "host": host_name(), "runs": runs, "seed": seed, "step": measured_step(found),
        "conclusion": conclusion(found), "layers": [{**s.as_dict(), "words": sentences(s)} for s in found],
    }  # fmt: skip
    return Swept(facts, record.write(output, facts, found), tuple(found))


def _after(tick: Tick, before: int) -> Tick:
    """Counts on from what was done before."""
    return lambda done: tick(before + done)
