"""From counts to what is told: devices by name, pairs of files, times of one's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.cost.instructions import Counts
from exporter.cost.load import Counted, LayerCount
from exporter.cost.prediction.learned import own_devices
from exporter.errors import DataError, UsageError
from exporter.forecasting.caster import Forecaster
from exporter.forecasting.learn import learn
from exporter.forecasting.predict import only_ncnn, pairs
from exporter.proving.subject import Subject
from exporter.store import Store

COUNTS = Counts(
    100_000_000, load_store=20_000_000, branch=2_000_000, simd_fp=70_000_000, alu=8_000_000, l1_misses=4_000_000, l2_misses=900_000
)
CORES = ("cortex-a53", "cortex-a72", "cortex-a76")


def subject(folder: Path, name: str = "net", precision: str = "fp16", source: str = "s", runtime: str = "ncnn") -> Subject:
    path = folder / f"{name}.param"
    path.write_text("7767517")
    path.with_suffix(".bin").write_bytes(name.encode())
    return Subject(name, path, runtime, 1, {}, (), (), {"precision": precision, "source": {"sha256": source}})


def caster(store: Store, *files: Subject, folder: Path | None = None) -> Forecaster:
    """One that has counted the files on every core."""
    made = Forecaster(store, own_devices(folder))
    for file in files:
        for core in CORES:
            layer = LayerCount("conv", "Convolution", tensor_work=True, counts=COUNTS)
            whole = Counted("ncnn", "1", "arm64", core, "7.2", 1, COUNTS, (COUNTS.total,), 0.0, "marks", (layer,))
            made.remember(file, core, whole)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def results(folder: Path, **changes: Any) -> Path:
    row = {"name": "net", "threads": 1, "ms": [40.0, 31.0, 33.0], "engine": "ncnn 1.0", **changes.pop("row", {})}
    facts = {"kind": "measured", "on": "adb:Phone", "device": {"model": "Phone"}, "results": [row], **changes}
    place = folder / "results.json"
    place.write_text(json.dumps(facts))
    return place


def test_devices_by_name_alias_and_all(store, tmp_path):
    made = caster(store)
    assert [w.name for w in made.devices("SM8150-AC")] == ["snapdragon-855-plus"]
    assert len(made.devices("all")) == 14
    with pytest.raises(UsageError, match="nothing is fitted for this device's core"):
        made.devices("jetson-nano")


def test_other_engines_are_refused_alone_and_left_out_beside_ncnn(tmp_path):
    ours, other = subject(tmp_path), subject(tmp_path, "lite", runtime="litert")
    assert only_ncnn([ours, other]) == [ours]
    with pytest.raises(UsageError, match="no latency is predicted for litert: no table of known devices is published for it"):
        only_ncnn([other])


def test_files_of_one_source_in_floats_and_int8_are_pairs(tmp_path):
    a, b, c = (subject(tmp_path, n, p, s) for n, p, s in (("a", "fp16", "x"), ("b", "int8", "x"), ("c", "int8", "y")))
    assert list(pairs([a, b, c])) == [(a, b)]


def test_a_new_phone_is_learned_and_predicted(store, tmp_path):
    file, folder = subject(tmp_path), tmp_path / "devices"
    made = caster(store, file, folder=folder)
    told = learn(made, results(tmp_path), [file], "My Phone", core="cortex-a76", folder=folder)
    assert (told["device"], told["core"], told["times"]) == ("my-phone", "cortex-a76", 1)
    assert told["learned"] == [{"name": "net", "ms": 31.0, "runs": 3}]
    again = caster(store, file, folder=folder)
    assert [w.core for w in again.devices("my-phone")] == ["cortex-a76"]
    assert len(again.devices("all")) == 15
    got = again.predict(file, again.devices("my-phone")[0])
    assert got.ms == pytest.approx(31.0, rel=1e-3)  # one time sets the scale, and the shape is the core's
    assert got.held_out_nets == 0


def test_a_phone_of_one_kind_of_core_tells_it_itself(store, tmp_path):
    file = subject(tmp_path)
    alike = results(tmp_path, device={"model": "P", "parts": ["0xd08"] * 4})
    assert learn(caster(store, file), alike, [file], "p", folder=tmp_path / "devices")["core"] == "cortex-a72"
    mixed = results(tmp_path, device={"model": "P", "parts": ["0xd03", "0xd08"]})
    with pytest.raises(UsageError, match="nothing tells its core"):
        learn(caster(store, file), mixed, [file], "q", folder=tmp_path / "devices")


def test_a_published_device_learns_more(store, tmp_path):
    file, folder = subject(tmp_path), tmp_path / "devices"
    made = caster(store, file, folder=folder)
    place = made.devices("raspberry-pi-5")[0]
    before = made.predict(file, place)
    learn(made, results(tmp_path, row={"ms": [2 * before.ms]}), [file], "raspberry-pi-5", folder=folder)
    after = made.predict(file, place)
    assert before.ms < after.ms < 2 * before.ms  # one odd time among 35 published ones
    assert after.held_out_nets == before.held_out_nets + 1


def test_the_newest_time_of_a_file_counts(store, tmp_path):
    file, folder = subject(tmp_path), tmp_path / "devices"
    made = caster(store, file, folder=folder)
    for ms in (30.0, 20.0):
        learn(made, results(tmp_path, row={"ms": [ms]}), [file], "p", core="cortex-a53", folder=folder)
    assert [t.ms for t in own_devices(folder)["p"].times] == [20.0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "native"}, "were taken on this computer"),
        ({"kind": None}, "were not measured on a phone"),
        ({"row": {"threads": 4}}, r"of \[4\] threads"),
        ({"row": {"ms": []}}, "were not measured on a phone"),
        ({"row": {"sha256": {"net.bin": "0" * 64}}}, "net.bin is not the file that was timed"),
        ({"row": {"name": "other"}}, "times of other, which is not among the files given"),
        ({"results": 3}, "holds no results"),
    ],
)
def test_results_that_teach_nothing_are_refused(store, tmp_path, changes, words):
    file = subject(tmp_path)
    with pytest.raises(DataError, match=words):
        learn(caster(store, file), results(tmp_path, **changes), [file], "p", core="cortex-a53", folder=tmp_path / "devices")
    assert not (tmp_path / "devices").exists()


@pytest.mark.parametrize(
    ("device", "core", "words"),
    [
        ("p", None, "nothing tells its core"),
        ("p", "cortex-a77", "unknown fitted core"),
        ("raspberry-pi-5", "cortex-a53", "has a cortex-a76"),
        ("all", "cortex-a53", "times are of one device"),
    ],
)
def test_a_device_must_be_known_well_enough(store, tmp_path, device, core, words):
    file = subject(tmp_path)
    with pytest.raises(UsageError, match=words):
        learn(caster(store, file), results(tmp_path), [file], device, core=core, folder=tmp_path / "devices")


def test_what_cannot_be_read_back_is_told(tmp_path):
    (tmp_path / "p.json").write_text('{"schema": 9}')
    with pytest.raises(DataError, match="schema 9, this version reads 1"):
        own_devices(tmp_path)
