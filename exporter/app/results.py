"""The app's report: checked against its schema, and its times written into the manifests of the bundles they were taken of."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from exporter import schema
from exporter.bundle import MANIFEST, Bundle
from exporter.disk import disk_errors
from exporter.errors import IntegrityError
from exporter.report import documents
from exporter.schema import manifest_problem

STATISTICS = ("median", "p10", "p90", "mean", "min")
MS = ("load", "first")
Report = Mapping[str, Any]


@cache
def results_schema() -> dict[str, Any]:
    """The JSON Schema of a report."""
    file = Path(schema.__file__).with_name("app_results.schema.json")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def read_results(text: str) -> dict[str, Any]:
    """A report, checked.

    Raises:
        IntegrityError: If it is none, or of another version of the app.
    """
    import jsonschema

    hint = "install the app again: it may be another version's"
    try:
        report = json.loads(text)
    except ValueError as problem:
        raise IntegrityError(f"the app's report is no JSON: {problem}", hint=hint) from None
    worst = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(results_schema()).iter_errors(report))
    if worst is not None:
        place = "/".join(map(str, worst.absolute_path)) or "it"
        raise IntegrityError(f"the app's report is not valid: {place}: {worst.message[:200]}", hint=hint)
    return dict(report)


def record(report: Report, bundles: Sequence[Bundle]) -> list[str]:
    """Write the times that count into the manifests, as numbers of kind measured, and the reports anew; earlier ones of the same phone go.

    Returns:
        Names of the bundles that got some: results of other files, of an emulator, or that do not count are left out.
    """
    by_name = {r["name"]: r for r in report["results"] if r["valid"] and not report["device"]["emulator"]}
    done = []
    for bundle in bundles:
        result = by_name.get(bundle.path.name)
        if result is not None and result["artifact_sha256"] == _sha256(bundle):
            _write(bundle, numbers(report, result))
            done.append(bundle.path.name)
    return done


def numbers(report: Report, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A result as a manifest's numbers."""
    times, n = result["statistics"], len(result["ms"])
    common = {"kind": "measured", "engine": result["engine"], "on": where(report)}
    found = [{"name": "latency", "value": times[s], "unit": "ms", "n": n, "statistic": s} for s in STATISTICS]
    found += [{"name": name, "value": times[name], "unit": "ms", "n": 1, "statistic": "single"} for name in MS]
    found += [{"name": "throughput", "value": times["fps"], "unit": "fps", "n": n, "statistic": "median"}]
    if result["peak_rss_bytes"]:
        found.append({"name": "memory", "value": result["peak_rss_bytes"], "unit": "bytes", "n": 1, "statistic": "peak"})
    return [{**number, **common} for number in found]


def where(report: Report) -> str:
    """The phone, e.g. "adb:Google Pixel 8, Android 15"."""
    device = report["device"]
    return f"adb:{device['maker']} {device['model']}, Android {device['android']}"


def parts(report: Report) -> list[str]:
    """The kinds of the phone's cores, as `/proc/cpuinfo` names their part; empty where the kernel does not tell."""
    told = [text for text in report["device"]["midr"] if text]
    return [f"0x{int(text, 16) >> 4 & 0xFFF:03x}" for text in told]


def bench_facts(report: Report) -> dict[str, Any]:
    """A report in the words of `mexport bench --json`, which `predict --learn` takes."""
    device = report["device"]
    facts = {**device, "parts": parts(report), "emulated": device["emulator"]}
    results = [{**{k: v for k, v in r.items() if k != "track"}, "sha256": {"main": r["artifact_sha256"]}} for r in report["results"]]
    kind = None if device["emulator"] else "measured"
    threads = report["settings"]["threads"] or (results[0]["threads"] if results else 1)
    return {"on": where(report), "kind": kind, "host": None, "device": facts, "threads": threads, "runs": report["settings"]["runs"],
            "results": results}  # fmt: skip


def _sha256(bundle: Bundle) -> str:
    main = bundle.manifest["artifact"]["files"][0]
    return next(str(f["sha256"]) for f in bundle.manifest["files"] if f["path"] == main)


def _write(bundle: Bundle, fresh: Sequence[Mapping[str, Any]]) -> None:
    old = [
        n
        for n in bundle.manifest["numbers"]
        if not (n["kind"] == "measured" and n["on"] == fresh[0]["on"] and n["engine"] == fresh[0]["engine"])
    ]
    manifest = {**bundle.manifest, "numbers": [*old, *fresh]}
    problem = manifest_problem(manifest)
    if problem is not None:
        raise IntegrityError(f"the manifest about to be written is not valid: {problem}", hint="this is a defect of mexport; report it")
    texts = dict(documents(manifest))
    texts[MANIFEST] = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with disk_errors(bundle.path):
        for name, text in texts.items():
            part = bundle.path / f".{name}.part"
            part.write_text(text, encoding="utf-8")
            part.replace(bundle.path / name)
