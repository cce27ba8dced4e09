"""A phone's own times as calibration: what `mexport predict --learn` does."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.cost.prediction.learned import OwnDevice, OwnTime, keep
from exporter.cost.prediction.published import published, slug
from exporter.errors import DataError, UsageError, unknown_name
from exporter.forecasting.caster import ALL, Forecaster
from exporter.proving.subject import Subject

Result = dict[str, Any]
PARTS = {"0xd03": "cortex-a53", "0xd08": "cortex-a72", "0xd0b": "cortex-a76"}
"""`CPU part` in Linux's /proc/cpuinfo to the fitted core."""

MAKE = "mexport bench OUT --on adb:SERIAL --num-threads 1 --json > results.json"


def learn(
    caster: Forecaster, results: Path, every: Sequence[Subject], device: str, *, core: str | None = None, folder: Path | None = None
) -> Result:
    """Keep what a phone took for files, with what these count on its core.

    Args:
        caster: Counts the files.
        results: What `mexport bench --on adb:SERIAL --json` printed.
        every: The files that were timed, and perhaps others.
        device: Its name: one that is published, or a new one.
        core: Of a new device.
        folder: Where such times are kept; the user's when None.

    Returns:
        device, core, file, and the rows that were kept: name, ms, runs.

    Raises:
        DataError: If the file holds no times that a phone took with one thread, or times of files that are not given.
        UsageError: If the device is new and its core is not told, or is none that was fitted.
    """
    facts = read_results(results)
    before = _device(caster, device, core, _only_core(facts))
    by_name = {s.name: s for s in every}
    times = tuple(_time(caster, row, by_name, before.core, facts) for row in facts["results"])
    after = before.with_times(times)
    place = keep(after, folder)
    caster.learned(after)
    rows = [{"name": t.name, "ms": t.ms, "runs": t.runs} for t in times]
    return {"device": after.name, "core": after.core, "file": str(place), "times": len(after.times), "learned": rows}


def read_results(path: Path) -> Mapping[str, Any]:
    """A phone's results.

    Raises:
        DataError: If they are not that.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        rows = facts["results"]
        kind, threads = facts.get("kind"), {row["threads"] for row in rows}
        empty = [row["name"] for row in rows if not row["ms"]]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise DataError(f"{path} holds no results of `mexport bench --json` ({problem!r})", hint=MAKE) from None
    if kind != "measured" or empty or not rows:
        said = {"native": "were taken on this computer"}.get(str(kind), "were not measured on a phone")
        raise DataError(f"the times in {path} {said}: a prediction learns from a phone's alone", hint=MAKE)
    if threads != {1}:
        raise DataError(f"the times in {path} are of {sorted(threads)} threads; predictions are for one", hint=MAKE)
    return dict(facts)


def _only_core(facts: Mapping[str, Any]) -> str | None:
    """The core of a phone whose cores are all alike, where it is a fitted one."""
    parts = set((facts.get("device") or {}).get("parts", ()))
    return PARTS.get(parts.pop()) if len(parts) == 1 else None


def _device(caster: Forecaster, name: str, core: str | None, told: str | None) -> OwnDevice:
    """The device as it is known: published, learned before, or new."""
    if name == ALL:
        raise UsageError("times are of one device, and --device all names none", hint="give the phone a name: --device my-phone")
    tables, own = published(), slug(name)
    fitted = sorted({d.core for d in tables.devices.values()})
    known = caster.own.get(own) or next((OwnDevice(d.name, d.core) for d in tables.devices.values() if own in (d.name, *d.aliases)), None)
    if known is not None:
        known = caster.own.get(known.name, known)
        if core not in (None, known.core):
            raise UsageError(f"{known.name} has a {known.core}, not a {core}", hint="leave --core out, or give the phone another name")
        return known
    core = core or told
    if core is None:
        raise UsageError(f"{name} is a new device, and nothing tells its core", hint=f"--core {' or '.join(fitted)}, whichever runs")
    if core not in fitted:
        raise unknown_name("fitted core", core, fitted)
    return OwnDevice(own, core)


def _time(caster: Forecaster, row: Mapping[str, Any], every: Mapping[str, Subject], core: str, facts: Mapping[str, Any]) -> OwnTime:
    if row["name"] not in every:
        raise DataError(f"the results have times of {row['name']}, which is not among the files given", hint=f"given: {', '.join(every)}")
    subject = every[row["name"]]
    files = (subject.path, subject.path.with_suffix(".bin"))
    for file in files:
        told = row.get("sha256", {}).get(file.name)
        if told is not None and told != hashlib.sha256(file.read_bytes()).hexdigest():
            raise DataError(f"{file} is not the file that was timed: its sha256 is another", hint="time it again, or give that file")
    digest = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files)).hexdigest()
    phone = str((facts.get("device") or {}).get("model", ""))
    return OwnTime(row["name"], digest, min(row["ms"]), len(row["ms"]), row["engine"], phone, caster.parts(subject, core))
