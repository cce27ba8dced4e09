"""Time bundles and bare files on a phone behind adb: what `mexport bench --on adb:SERIAL` does."""

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.array import Array
from exporter.bundle import Bundle, sha256_file
from exporter.console import Console
from exporter.devices.abi import Abi, find_abi
from exporter.devices.ncnn_runner import NcnnModel
from exporter.devices.phone import Phone, PhoneTimes, Task, time_on_phone
from exporter.errors import DeviceError
from exporter.latency import Latency, Run, Versus, compared
from exporter.parity import Limits
from exporter.proving.judge import as_dicts, findings, judged
from exporter.proving.subject import Subject

ROUNDED = ("int8", "mixed")
"""Precisions of ncnn files that compute in integers: what goes into a softmax is not compared there."""

NO_TIMES = "an emulator runs this system: its times tell nothing and are left out"


def bench_on_phone(
    subjects: Sequence[Subject],
    serial: str,
    *,
    runs: int,
    warmup: int,
    pairs: int,
    seed: int,
    console: Console,
) -> dict[str, Any]:
    """Times of ncnn files on a phone; the first of several against each other one, interleaved.

    Args:
        subjects: What to time.
        serial: Which phone.
        runs: Timed runs of each.
        warmup: Untimed runs before.
        pairs: Interleaved pairs of a comparison.
        seed: Of the noise that is fed, and of the bootstrap.
        console: Where progress goes.

    Raises:
        DeviceError: If a file is not ncnn's, the files are for several kinds of processor, or the phone fails.
    """
    for subject in subjects:
        require_ncnn(subject)
    models = [model_of(s, s.sample(seed)) for s in subjects]
    task = Task(models, _common_abi(subjects), runs, warmup, pairs, threads=subjects[0].threads)
    times = time_on_phone(serial, task, console=console)
    verdicts = [_judged(s, got, console) for s, got in zip(subjects, times.outputs, strict=True)]
    results = [{**row, **verdict} for row, verdict in zip(_results(subjects, times), verdicts, strict=True)]
    facts = {
        "on": f"adb:{times.phone.model}", "kind": None if times.phone.emulated else "measured", "host": None,
        "device": times.phone.as_dict(), "abi": times.abi.name, "cores": task.cores, "threads": task.threads, "runs": runs,
    }  # fmt: skip
    return {**facts, "results": results, "comparisons": _comparisons([s.name for s in subjects], times, seed)}


def require_ncnn(subject: Subject) -> None:
    """Only ncnn has a program that runs from a shell.

    Raises:
        DeviceError: For a file of another engine.
    """
    if subject.runtime != "ncnn":
        engine = "TFLite" if subject.runtime == "litert" else "ONNX"
        hint = "use an ncnn bundle, or the app"
        raise DeviceError(f"{subject.name}: {engine} files reach a phone through the app, ncnn files through adb too", hint=hint)


def model_of(subject: Subject, feeds: Mapping[str, Array]) -> NcnnModel:
    """A file and what it is fed, as the program on the phone takes them."""
    outputs = [e.tensor.name for e in subject.outputs]
    return NcnnModel(subject.name, subject.path, subject.path.with_suffix(".bin"), feeds, outputs, subject.options)


def _common_abi(subjects: Sequence[Subject]) -> Abi | None:
    """What the bundles were built for; bare files run anywhere."""
    names = sorted({s.manifest["target"]["abi"] for s in subjects if s.manifest is not None})
    if len(names) > 1:
        raise DeviceError(f"these bundles are for {' and '.join(names)}", hint="time them one after the other")
    return find_abi(names[0]) if names else None


def _judged(subject: Subject, got: Mapping[str, Array], console: Console) -> dict[str, Any]:
    """What a bundle's file gave on the phone against the graph that it was written from; a difference is told, and no error here."""
    if subject.manifest is None:
        return {}
    manifest = subject.manifest
    kept = Bundle(subject.path.parent, manifest).reference().graph
    ours = {e.tensor.graph_name: e.to_source(got[e.tensor.name][None]) for e in subject.outputs}
    rounds = manifest["precision"] in ROUNDED
    ends = {p["source_name"]: None if rounds else p.get("ends_in") for p in manifest["outputs"]}
    found = findings(ends, {name: y[:1] for name, y in kept.items()}, ours)
    verdict = judged(
        {"name": subject.name, "parity": as_dicts(found)}, {"the graph it was written from": found}, Limits(**manifest["limits"])
    )
    if not verdict["ok"]:
        console.warn(f"on the phone {verdict['verdict']}")
    return {"parity": verdict["parity"], "equal": verdict["ok"]}


def _results(subjects: Sequence[Subject], times: PhoneTimes) -> list[dict[str, Any]]:
    rows = []
    for subject, got in zip(subjects, times.results, strict=True):
        files = {f.name: sha256_file(f) for f in (subject.path, subject.path.with_suffix(".bin"))}
        engine = f"{got['engine']} {got['version']}"
        latency = Latency(got["load_ms"], got["first_ms"], tuple(got["samples_ms"]), got["peak_rss_bytes"], engine, got["threads"])
        more = {key: got[key] for key in ("options", "cpu", "outputs")}
        rows.append({"name": subject.name, "sha256": files, **_honest(times.phone, latency), **more})
    return rows


def _honest(phone: Phone, latency: Latency) -> dict[str, Any]:
    """A result without its times where an emulator made them."""
    facts = latency.as_dict()
    if not phone.emulated:
        return facts
    return {**facts, "load_ms": None, "first_ms": None, "ms": [], "peak_rss_bytes": None, "statistics": {}, "note": NO_TIMES}


def _comparisons(names: Sequence[str], times: PhoneTimes, seed: int) -> list[dict[str, Any]]:
    if times.phone.emulated:
        return []
    found = []
    for name, rounds in zip(names[1:], times.pairs, strict=True):
        versus = _versus(rounds, seed)
        found.append({"a": names[0], "b": name, **versus.as_dict()})
    return found


def _versus(rounds: Sequence[Mapping[str, Any]], seed: int) -> Versus:
    pairs: list[tuple[Run, Run]] = []
    for got in rounds:
        a, b = (list(zip(side["samples_ms"], side["cpu_ms"], strict=True)) for side in (got, got["versus"]))
        pairs += list(zip(a, b, strict=True))
    return compared(pairs, process_pairs=len(rounds), seed=seed)
