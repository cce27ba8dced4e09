"""`mexport bench --on adb:SERIAL` against a real adbd: what it tells, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from exporter.bundle import sha256_file
from exporter.console import Console
from exporter.devices.adb import Adb
from exporter.devices.native import Runner
from exporter.devices.phone import Task, ask, time_on_phone
from exporter.proving.phone import model_of
from exporter.proving.subject import subjects
from tests.command import mexport
from tests.emulated.phone_kit import Container
from tests.small_models import classifier

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small net for three targets, in fp32."""
    place = tmp_path_factory.mktemp("adb")
    targets = [w for t in ("ncnn-arm64", "ncnn-armv7", "tflite-arm64") for w in ("-t", t)]
    flags = ["--precision", "fp32", "--mean", "127.5", "--std", "127.5", "-q"]
    ended = mexport("build", classifier(place / "small.onnx"), *targets, *flags, "-o", place / "out")
    assert ended.code == 0, ended.err
    return place / "out"


def test_what_the_phone_says(adb_device: Container) -> None:
    phone = ask(Adb(adb_device.serial))
    assert phone.abis == ("arm64-v8a",)
    assert phone.model == adb_device.serial, "Debian has no getprop"
    assert phone.emulated, "its /proc/cpuinfo is this computer's"


def test_bench_runs_and_leaves_nothing(adb_device: Container, native_runner: Runner, bundles: Path) -> None:
    ended = mexport("bench", bundles / "small--ncnn-arm64", "--on", f"adb:{adb_device.serial}", "--num-runs", "7", "--json", "-q")
    assert ended.code == 0, ended.err
    facts = ended.facts
    assert facts["on"] == f"adb:{adb_device.serial}"
    assert facts["device"]["abis"] == ["arm64-v8a"]
    (result,) = facts["results"]
    assert result["engine"] == f"ncnn {native_runner.facts['ncnn']}"
    assert result["options"]["use_fp16_arithmetic"] is False, "of the bundle's manifest, not ncnn's own"
    assert [(o["name"], o["shape"]) for o in result["outputs"]] == [("out0", [5])]
    assert result["equal"] is True
    assert result["parity"]["scores"]["rel"] <= 1e-4  # the contract's limit for fp32
    adb_device.require_clean()


def test_times_of_an_emulator_are_not_shown(adb_device: Container, native_runner: Runner, bundles: Path) -> None:
    ended = mexport("bench", bundles / "small--ncnn-arm64", "--on", f"adb:{adb_device.serial}", "--num-runs", "2", "--json", "-q")
    assert ended.facts["kind"] is None
    (result,) = ended.facts["results"]
    assert (result["ms"], result["statistics"], result["load_ms"]) == ([], {}, None)
    assert "an emulator runs this system" in mexport("bench", bundles / "small--ncnn-arm64", "--on", f"adb:{adb_device.serial}", "-q").out


def test_every_sample_comes_back_and_pairs_are_interleaved(adb_device: Container, native_runner: Runner, bundles: Path) -> None:
    (subject,) = subjects(bundles / "small--ncnn-arm64")
    feeds = subject.noise(3)
    models = [model_of(subject, feeds), model_of(subject, feeds)]
    got = time_on_phone(adb_device.serial, Task(models, None, 4, 1, 10, process_pairs=2, cores="all"), console=QUIET)
    assert [len(r["samples_ms"]) for r in got.results] == [4, 4]
    ((first, second),) = got.pairs
    for answers in (first, second):
        assert len(answers["samples_ms"]) == len(answers["versus"]["samples_ms"]) == 5
    adb_device.require_clean()


def test_outputs_that_differ_on_the_phone_are_told(adb_device: Container, native_runner: Runner, bundles: Path, tmp_path: Path) -> None:
    """The bundle's reference is another model's: the file runs, and its outputs are not those."""
    folder = shutil.copytree(bundles / "small--ncnn-arm64", tmp_path / "small--ncnn-arm64")
    with np.load(folder / "reference.npz") as stored:
        arrays = {name: -stored[name] if name.startswith("graph.") else stored[name] for name in stored.files}
    np.savez(folder / "reference.npz", **arrays)
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        file["sha256"] = sha256_file(folder / file["path"])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ended = mexport("bench", folder, "--on", f"adb:{adb_device.serial}", "--num-runs", "1", "--json", "-q")
    assert ended.code == 0
    assert ended.facts["results"][0]["equal"] is False
    assert "on the phone" in ended.err


def test_another_engine_is_refused_with_the_way_to_go(adb_device: Container, bundles: Path) -> None:
    ended = mexport("bench", bundles / "small--tflite-arm64", "--on", f"adb:{adb_device.serial}", "--json", "-q")
    assert ended.code == 11
    assert "TFLite files reach a phone through the app" in ended.facts["error"]["message"]


def test_a_bundle_for_another_processor_is_refused_by_name(adb_device: Container, bundles: Path) -> None:
    ended = mexport("bench", bundles / "small--ncnn-armv7", "--on", f"adb:{adb_device.serial}", "--json", "-q")
    assert ended.code == 11
    error = ended.facts["error"]
    assert f"small--ncnn-armv7 is for armeabi-v7a; {adb_device.serial} runs arm64-v8a" in error["message"]
    assert error["hint"] == "build for arm64-v8a"
    adb_device.require_clean()


@pytest.mark.parametrize(("serial", "hint"), [("127.0.0.1:5", "`adb connect 127.0.0.1:5`"), ("NOSUCHPHONE", "adb sees ")])
def test_a_phone_that_is_not_there(adb_device: Container, bundles: Path, serial: str, hint: str) -> None:
    ended = mexport("bench", bundles / "small--ncnn-arm64", "--on", f"adb:{serial}", "--json", "-q")
    assert ended.code == 11
    assert f"{serial} is not there" in ended.facts["error"]["message"]
    assert hint in ended.facts["error"]["hint"]


def test_without_adb_the_remedy_is_named(bundles: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = mexport("bench", bundles / "small--ncnn-arm64", "--on", "adb:X", "--json", "-q")
    assert ended.code == 7
    assert "adb is not installed" in ended.facts["error"]["message"]
    found = {f["name"]: f for f in json.loads(mexport("doctor", "--json").out.split("\n}\n")[0] + "\n}")["findings"]}
    assert "apt-get install adb" in found["adb"]["remedy"]
