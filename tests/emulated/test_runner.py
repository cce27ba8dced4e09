"""Files on emulated ARM, in real containers: the same outputs, the same right answers, limits that strike, and nothing left behind."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from exporter.bundle import read_bundle
from exporter.child import Child
from exporter.devices.container import ContainerLauncher, launchers
from exporter.devices.engine import LABEL, Docker
from exporter.errors import EngineError
from exporter.proving.subject import bundled
from tests.command import mexport, start
from tests.small_models import classifier, pictures, wide

CORES = "cortex-a53,cortex-a76"


@pytest.fixture(scope="module")
def launcher(docker: Docker) -> ContainerLauncher:
    return launchers("arm64", ["cortex-a53"], print)[0]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arm")
    model = classifier(folder / "small.onnx")
    targets = [word for name in ("ncnn", "tflite", "onnx") for word in ("--target", f"{name}-arm64")]
    ended = mexport("build", model, *targets, "--mean", "127.5", "--std", "127.5", "-o", folder / "out")
    assert ended.code == 0, ended.err
    return folder / "out"


def ours(docker: Docker) -> list[str]:
    """Containers of this process."""
    return [c.id for c in docker.client.containers.list(all=True, filters={"label": f"{LABEL}.owner={os.getpid()}"})]


def test_every_format_gives_its_reference_on_both_kinds_of_cores(out: Path, docker: Docker) -> None:
    ended = mexport("verify", out, "--on", "docker:arm64", "--cpu", CORES, "--json")
    assert ended.code == 0, ended.err
    found = ended.facts["bundles"]
    assert [(b["engine"], b["cpu"]) for b in found] == [(e, c) for e in ("ncnn", "onnxruntime", "litert") for c in CORES.split(",")]
    for b in found:
        assert b["samples"] == 4
        limit = 2e-2 if b["engine"] == "ncnn" and b["cpu"] == "cortex-a76" else 2e-3 if b["engine"] == "ncnn" else 1e-5
        assert all(c["rel"] < limit for c in b["parity"].values())  # fp16 arithmetic; fp16 weights; float32
    assert ours(docker) == []


def test_as_many_right_answers_as_here(out: Path, docker: Docker, tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures")
    bundle = out / "small--ncnn-arm64"
    here = mexport("eval", bundle, "--data", data, "--json").facts["results"][0]
    there = mexport("eval", bundle, "--data", data, "--on", "docker:arm64", "--cpu", "cortex-a53", "--json").facts["results"][0]
    assert (there["on"], there["cpu"]) == ("docker:arm64", "cortex-a53")
    assert (there["right"], there["n"]) == (here["right"], here["n"])


def test_a_build_is_proved_there_and_says_so(docker: Docker, tmp_path: Path) -> None:
    model = classifier(tmp_path / "small.onnx")
    words = ("--target", "onnx-arm64", "--mean", "127.5", "--std", "127.5", "-o", tmp_path / "out")
    ended = mexport("build", model, *words, "--on", "docker:arm64", "--cpu", "cortex-a72,max")
    assert ended.code == 0, ended.err
    bundle = read_bundle(tmp_path / "out" / "small--onnx-arm64")
    assert [(e["cpu"], e["engine"], e["ok"]) for e in bundle.manifest["arm"]] == [(c, "onnxruntime", True) for c in ("cortex-a72", "max")]
    report = (bundle.path / "report.md").read_text()
    assert "## On ARM" in report
    assert "not run on ARM" not in report


def test_an_overflow_is_named_and_mended(docker: Docker, tmp_path: Path) -> None:
    model = wide(tmp_path / "wide.onnx")
    out = tmp_path / "out"
    assert mexport("build", model, "--target", "ncnn-arm64", "--mean", "127.5", "--std", "127.5", "-o", out).code == 0
    words = ("verify", out, "--on", "docker:arm64", "--cpu", "cortex-a76", "--json")
    ended = mexport(*words)
    assert ended.code == 5
    facts = json.JSONDecoder().raw_decode(ended.out)[0]["bundles"][0]
    assert [(b["layer"], b["op"]) for b in facts["begins"]] == [("relu2", "Relu")]
    assert "more than half precision holds" in facts["verdict"]
    ended = mexport(*words, "--repair")
    assert ended.code == 0, ended.err
    facts = ended.facts["bundles"][0]
    assert facts["repaired"]["float32"] == ["r2"]
    assert "more than half precision holds" in facts["repaired"]["before"][0]
    bundle = read_bundle(out / "wide--ncnn-arm64")
    assert bundle.manifest["write"]["float32"] == ["r2"]
    assert " 31=3" in (bundle.path / "model.ncnn.param").read_text()
    assert mexport("verify", out, "--layers").code == 0  # the bundle is whole, and can be written again


def test_a_time_limit_removes_the_container(launcher: ContainerLauncher, docker: Docker) -> None:
    with pytest.raises(EngineError, match="no answer within"):
        Child("runtimes.onnxruntime", {"path": "/none", "threads": 1, "options": {}}, what="slow", timeout_s=0.001, launcher=launcher)
    assert ours(docker) == []


def test_a_file_that_is_not_there_is_the_engines_error(launcher: ContainerLauncher, docker: Docker) -> None:
    with pytest.raises(EngineError, match="no file /none"):
        Child("runtimes.ncnn", {"path": "/none.param", "threads": 1, "options": {}}, what="none", launcher=launcher)
    assert ours(docker) == []


def test_an_interrupt_removes_the_container(out: Path, docker: Docker) -> None:
    process = start("verify", str(out), "--on", "docker:arm64", "--cpu", "cortex-a53")
    mine = {"label": f"{LABEL}.owner={process.pid}"}
    ends = time.monotonic() + 120
    while not docker.client.containers.list(filters=mine):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert docker.client.containers.list(all=True, filters=mine) == []


def test_what_cannot_run_there_is_refused(out: Path, docker: Docker) -> None:
    ended = mexport("verify", out / "small--onnx-arm64", "--on", "docker:armv7")
    assert ended.code == 8
    assert "onnxruntime does not exist for linux/arm/v7" in ended.err
    assert mexport("verify", out, "--on", "docker:arm64", "--layers").code == 2
    assert mexport("verify", out, "--cpu", "cortex-a53").code == 2


def test_integers_are_equal_bit_for_bit_and_what_is_not_is_named(docker: Docker, tmp_path: Path) -> None:
    """LiteRT's outputs are integers. ncnn's are float32, and what it computes between integers is in half precision where it can."""
    model, data = classifier(tmp_path / "small.onnx"), pictures(tmp_path / "pictures", each=12)
    words = ("--mean", "127.5", "--std", "127.5", "--calibration", data, "--accept-calibration", "-o", tmp_path / "out")
    targets = ("--target", "tflite-arm64", "--target", "ncnn-arm64", "--precision", "int8")
    ended = mexport("build", model, *targets, *words, "--min-sqnr-db", "1")
    assert ended.code == 0, ended.err
    ended = mexport("verify", tmp_path / "out", "--on", "docker:arm64", "--cpu", CORES, "--json")
    assert ended.code == 0, ended.err
    found = {(b["engine"], b["cpu"]): b["host"] for b in ended.facts["bundles"]}
    assert all(host["equal"] and not host["begins"] for (engine, _), host in found.items() if engine == "litert")
    half = found["ncnn", "cortex-a76"]
    assert not half["equal"]
    assert (half["begins"][0]["layer"], half["begins"][0]["op"]) == ("act", "Relu"), "where the first integers become half precision"
    float32 = found["ncnn", "cortex-a53"]
    assert float32["equal"] or {b["op"] for b in float32["begins"]} <= {"Softmax", "Gemm"}, "the last bits of what follows the integers"


def test_32_bits_have_their_own_engines(docker: Docker, tmp_path: Path) -> None:
    model = classifier(tmp_path / "small.onnx")
    targets = ("--target", "tflite-armv7", "--target", "ncnn-armv7")
    assert mexport("build", model, *targets, "--mean", "127.5", "--std", "127.5", "-o", tmp_path / "out").code == 0
    ended = mexport("verify", tmp_path / "out", "--on", "docker:armv7", "--json")
    assert ended.code == 0, ended.err
    assert {b["engine"] for b in ended.facts["bundles"]} == {"ncnn", "tflite-runtime"}
    assert np.isfinite([c["rel"] for b in ended.facts["bundles"] for c in b["parity"].values()]).all()


def test_values_that_an_engine_overwrote_are_not_told(docker: Docker, tmp_path: Path) -> None:
    """The old engine writes the softmax where the logits were, which an interpreter that keeps every tensor does not show."""
    from ai_edge_litert.interpreter import Interpreter

    model, data = classifier(tmp_path / "small.onnx"), pictures(tmp_path / "pictures", each=12)
    words = ("--mean", "127.5", "--std", "127.5", "--precision", "int8", "--calibration", data, "--accept-calibration")
    ended = mexport("build", model, "--target", "tflite-armv7", *words, "--min-sqnr-db", "1", "-o", tmp_path / "out")
    assert ended.code == 0, ended.err
    subject = bundled(read_bundle(tmp_path / "out" / "small--tflite-armv7"), 1)
    feeds = subject.sample(0)
    nodes = [n for n in Interpreter(str(subject.path))._get_ops_details() if n["op_name"] != "DELEGATE"]
    names = {d["index"]: d["name"] for d in Interpreter(str(subject.path)).get_tensor_details()}
    made = [names[int(t)] for n in nodes for t in n["outputs"]]
    with subject.open() as engine:
        here = engine.call("run", feeds, tensors=made)[1]
    with subject.open(launchers("armv7", ["cortex-a15"], print)[0]) as engine:
        there = engine.call("run", feeds, tensors=made)[1]
    assert set(here) == set(made)
    logits = next(names[int(n["inputs"][0])] for n in nodes if n["op_name"] == "SOFTMAX")
    assert logits not in there
    assert len(there) >= len(made) - 2, "the pooled values are where they were flattened"
    for name, x in there.items():
        assert np.abs(x.astype(np.float64) - here[name]).max() <= 1
