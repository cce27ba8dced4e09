"""The app's report, and what becomes of it."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from exporter.app.results import bench_facts, parts, read_results, record, results_schema
from exporter.bundle import Bundle, read_bundle, write_bundle
from exporter.cli.text import app_text
from exporter.errors import IntegrityError
from exporter.preprocessing import Preprocessing
from exporter.report import documents
from tests.manifests import manifest_for, plain_artifact

RESULT = {
    "name": "net--ncnn-arm64", "artifact_sha256": "", "engine": "ncnn 1.0.20261020", "threads": 1, "delegated": -1, "load_ms": 2.0,
    "first_ms": 1.5, "ms": [1.0, 2.0, 3.0], "peak_rss_bytes": 5 << 20, "valid": True, "reasons": [], "notes": [], "cores": {"7": 3},
    "statistics": {"min": 1.0, "p10": 1.2, "median": 2.0, "p90": 2.8, "mean": 2.0, "fps": 500.0, "load": 2.0, "first": 1.5},
    "track": [{"second": 0.0, "screen": True, "front": True, "thermal": 0, "battery_c": 31.5, "mhz": 2850}], "error": None,
}  # fmt: skip
REPORT: dict[str, Any] = {
    "schema": 1, "app": "0.1.0", "kind": "measured", "time": 1790000000,
    "device": {"maker": "Maker", "model": "Phone 8", "android": "15", "api": 35, "soc": "SoC", "abis": ["arm64-v8a"], "cores": 2,
               "midr": ["0x00000000410fd050", "0x00000000410fd440"], "max_mhz": [1800, 2850], "group": "/top-app", "governor": "schedutil",
               "power_save": False, "emulator": False},
    "settings": {"threads": 0, "runs": 50, "warmup_runs": 5, "rounds": 5, "seconds": 3, "minutes": 0, "cool_down_s": 1},
    "results": [RESULT], "checks": [],
}  # fmt: skip


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    def fill(folder: Path) -> dict[str, Any]:
        return manifest_for(plain_artifact(folder), "chw", Preprocessing(), "ncnn-arm64")

    return write_bundle(tmp_path / "net--ncnn-arm64", fill, identity={}, documents=documents)


def report_of(bundle: Bundle, **changes: Any) -> dict[str, Any]:
    report = copy.deepcopy(REPORT)
    main = bundle.manifest["artifact"]["files"][0]
    sha256 = next(f["sha256"] for f in bundle.manifest["files"] if f["path"] == main)
    report["results"][0] |= {"artifact_sha256": sha256, **changes}
    return read_results(json.dumps(report))


def test_the_schema_is_one() -> None:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(results_schema())


def test_times_become_the_bundles_own_and_replace_earlier_ones(bundle: Bundle) -> None:
    others = len(bundle.manifest["numbers"])
    for median in (2.0, 1.75):
        statistics = {**RESULT["statistics"], "median": median}
        assert record(report_of(bundle, statistics=statistics), [read_bundle(bundle.path)]) == ["net--ncnn-arm64"]
    again = read_bundle(bundle.path)
    measured = [n for n in again.manifest["numbers"] if n["kind"] == "measured"]
    assert len(again.manifest["numbers"]) == others + len(measured)
    assert [n["value"] for n in measured if n["statistic"] == "median" and n["unit"] == "ms"] == [1.75]
    assert {n["on"] for n in measured} == {"adb:Maker Phone 8, Android 15"}
    assert "Phone 8" in (bundle.path / "report.md").read_text()


@pytest.mark.parametrize(
    ("changes", "device"),
    [
        ({"valid": False, "reasons": ["screen_off"]}, {}),
        ({"artifact_sha256": "0" * 64}, {}),
        ({"name": "another"}, {}),
        ({}, {"emulator": True}),
    ],
    ids=["does not count", "another file", "another bundle", "an emulator"],
)
def test_what_tells_nothing_is_not_written(bundle: Bundle, changes: dict[str, Any], device: dict[str, Any]) -> None:
    report = report_of(bundle, **changes)
    report["device"] |= device
    before = (bundle.path / "manifest.json").read_bytes()
    assert record(report, [bundle]) == []
    assert (bundle.path / "manifest.json").read_bytes() == before


def test_another_report_is_refused() -> None:
    for wrong in ('{"schema": 2}', "half a fil", json.dumps({**REPORT, "results": [{**RESULT, "ms": [-1.0]}]})):
        with pytest.raises(IntegrityError, match="the app's report"):
            read_results(wrong)


def test_cores_are_named_as_elsewhere() -> None:
    assert parts(REPORT) == ["0xd05", "0xd44"]
    assert bench_facts(REPORT)["device"]["parts"] == ["0xd05", "0xd44"]
    assert bench_facts({**REPORT, "device": {**REPORT["device"], "emulator": True}})["kind"] is None


def test_the_table_says_what_does_not_count() -> None:
    check = {"name": "net", "artifact_sha256": "0" * 64, "passed": False, "rel": 0.5, "sqnr_db": 3.0, "top1_agreement": 0.5, "samples": 8,
             "error": None}  # fmt: skip
    text = app_text({**REPORT, "results": [{**RESULT, "valid": False, "reasons": ["throttled"]}], "checks": [check]})
    assert "throttled" in text
    assert "outputs WRONG: rel 5.0e-01, 3 dB, 8 samples" in text
