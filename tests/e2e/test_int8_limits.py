"""int8 builds that are refused, fail, are killed, or choose for themselves."""

import os
import signal
import subprocess
import sys

from exporter.bundle import read_bundle
from tests.command import ROOT, mexport
from tests.e2e.int8_words import QUICK, facts_of
from tests.e2e.test_faults import DIE, leftovers


def test_unfit_data_are_refused_and_may_be_accepted(nets, tmp_path):
    out = tmp_path / "out"
    words = ("build", nets / "healthy.onnx", "-t", "onnx-arm64", "--calibration", nets / "few.npz", "-o", out, *QUICK)
    ended = mexport(*words)
    assert ended.code == 12
    assert "at least 8 are needed" in ended.err
    assert "--accept-calibration overrides" in ended.err
    assert not out.exists()
    ended = mexport(*words, "--accept-calibration")
    assert ended.code == 0, ended.err
    facts = facts_of(out, "onnx-arm64", "healthy")
    assert facts["calibration"]["accepted"] == ["too few"]
    assert facts["calibration"]["findings"][0]["severity"] == "refuse"
    assert "accepted by hand" in (out / "healthy--onnx-arm64" / "report.md").read_text()


def test_a_collapsed_net_does_not_leave(nets, tmp_path):
    words = ("build", nets / "collapsing.onnx", "-t", "tflite-arm64", "--calibration", nets / "data.npz", "-o", tmp_path / "out", *QUICK)
    ended = mexport(*words)
    assert ended.code == 5, ended.err
    for said in ("int8 loses too much", "against the float graph", "worst layers: ", "--precision mixed", "--repair thorough"):
        assert said in ended.err
    assert not list((tmp_path / "out").glob("*"))
    ended = mexport(*words, "--precision", "mixed")
    assert ended.code == 0, ended.err
    facts = facts_of(tmp_path / "out", "tflite-arm64", "collapsing")
    assert facts["precision"] == "mixed"
    assert facts["quantization"]["kept_float"]
    assert facts["fidelity"]["y"]["sqnr_db"] >= 6  # the shipped targets' guard


def test_each_target_is_named_once_where_several_fail(nets, tmp_path):
    targets = ("-t", "tflite-arm64", "-t", "onnx-arm64")
    ended = mexport(
        "build", nets / "healthy.onnx", *targets, "--calibration", nets / "data.npz", "-o", tmp_path, *QUICK, "--min-sqnr-db", "90"
    )
    assert ended.code == 5
    for name in targets[1::2]:
        assert ended.err.count(f"{name}: int8 loses too much") == 1
        assert f"error: {name}: int8" in ended.err


def test_limits_asked_for_hold_or_fail_the_build(nets, tmp_path):
    out = tmp_path / "out"
    words = ("build", nets / "healthy.onnx", "-t", "onnx-arm64", "--calibration", nets / "data.npz", "-o", out, *QUICK)
    ended = mexport(*words, "--min-sqnr-db", "90")
    assert ended.code == 5
    assert "is below the limit 90 dB" in ended.err
    ended = mexport(*words, "--top1-drop", "0.5")
    assert ended.code == 6
    assert "--data" in ended.err
    assert not out.exists() or not list(out.iterdir())
    ended = mexport(*words, "--top1-drop", "0.1", "--data", nets / "labelled.npz")
    assert ended.code == 0, ended.err
    numbers = {n["name"]: n["value"] for n in facts_of(out, "onnx-arm64", "healthy")["numbers"]}
    assert numbers["top1_source"] == 1.0  # the labels are its own answers
    assert numbers["top1"] >= 0.9


def test_mixed_gives_what_is_asked(nets, tmp_path):
    ended = mexport("build", nets / "healthy.onnx", "-t", "tflite-arm64", "--calibration", nets / "data.npz", "-o", tmp_path / "out",
                    "--precision", "mixed", "--min-sqnr-db", "90", *QUICK)  # fmt: skip
    assert ended.code == 0, ended.err
    facts = facts_of(tmp_path / "out", "tflite-arm64", "healthy")
    assert len(facts["quantization"]["kept_float"]) == 2  # integers never reach 90 dB: both layers stay float
    assert facts["fidelity"]["y"]["sqnr_db"] >= 90


def test_killed_while_calibrating_leaves_nothing(nets, tmp_path):
    out, env = tmp_path / "out", {**os.environ, "MEXPORT_CACHE": str(tmp_path / "cache")}
    words = ["build", str(nets / "healthy.onnx"), "-t", "onnx-arm64", "--calibration", str(nets / "data.npz"), "-o", str(out), "-q", *QUICK]
    code = DIE.format(module="quantization.keep", name="save", after=True)
    killed = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, env=env, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists() or not list(out.iterdir())
    again = subprocess.run([sys.executable, "-m", "exporter", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    read_bundle(out / "healthy--onnx-arm64")
    assert leftovers(out) == []


def test_fastest_is_decided_on_this_host_for_its_own_kind_only(nets, tmp_path, monkeypatch):
    from exporter.building import fastest

    monkeypatch.setattr(fastest, "PAIRS", 6)
    monkeypatch.setattr(fastest, "PROCESSES", 1)
    monkeypatch.setattr(fastest.platform, "machine", lambda: "x86_64")
    desktop = tmp_path / "desktop.toml"
    desktop.write_text('format = "tflite"\nabi = "x86_64"\n')
    words = (
        "build",
        nets / "healthy.onnx",
        "--calibration",
        nets / "data.npz",
        "--fastest",
        "--on",
        "host",
        "-o",
        tmp_path / "out",
        *QUICK,
    )
    ended = mexport(*words, "-t", desktop, "-t", "tflite-arm64")
    assert ended.code == 0, ended.err
    own, phone = (facts_of(tmp_path / "out", t, "healthy") for t in ("desktop", "tflite-arm64"))
    times = {n["name"].removeprefix("latency_"): n for n in own["numbers"] if n["name"].startswith("latency_")}
    assert set(times) == {"fp32", "fp16", "int8", "mixed"}
    assert {n["kind"] for n in times.values()} == {"native"}
    assert own["precision"] in times
    assert any(f"{own['precision']} is kept as the fastest on this host" in n for n in own["notes"])
    assert phone["precision"] == "int8"
    assert any("decide nothing for tflite-arm64: int8 is kept" in n for n in phone["notes"])
    assert "decide nothing for tflite-arm64" in ended.err
    assert mexport("verify", tmp_path / "out", "--layers").code == 0  # each with the graphs of its own precision
    assert mexport(*words, "-t", desktop).out.count("up to date") == 1
