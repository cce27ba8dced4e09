"""What may go wrong around a build: it is killed, interrupted, doubled, out of space, or its source is not what it says."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from exporter.bundle import read_bundle
from exporter.disk import DRAFT
from exporter.errors import BY_CODE
from exporter.sample import model_path
from tests.command import ROOT, mexport, start
from tests.small_models import classifier

DIE = """
import os, signal, sys
import exporter.{module} as module
real = module.{name}
def deadly(*args, **kwargs):
    if {after}:
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
module.{name} = deadly
from exporter.cli.app import main
main(sys.argv[1:])
"""

POINTS = [
    ("building.prove", "open_engine", False),  # the model's files are written, nothing is proved
    ("building.deliver", "manifest", False),  # all but the manifest
    ("bundle", "sha256_file", True),  # the manifest half made
    ("disk", "sync_tree", False),  # everything written, nothing renamed
    ("building.stages", "save_arrays", True),  # reference outputs written into the store's draft
]


def leftovers(*folders):
    return [p for f in folders if f.exists() for p in f.rglob(f"{DRAFT}*")]


@pytest.mark.parametrize(("module", "name", "after"), POINTS, ids=[f"{m}.{n}" for m, n, _ in POINTS])
def test_killed_nothing_half_written_is_taken_for_done(tmp_path, module, name, after):
    model, out, cache = classifier(tmp_path / "small.onnx"), tmp_path / "out", tmp_path / "cache"
    words = ["build", str(model), "-t", "tflite-arm64", "-o", str(out), "-q"]
    env = {**os.environ, "MEXPORT_CACHE": str(cache)}
    code = DIE.format(module=module, name=name, after=after)
    killed = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, env=env, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (out / "small--tflite-arm64").exists()
    again = subprocess.run([sys.executable, "-m", "exporter", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    read_bundle(out / "small--tflite-arm64")
    assert leftovers(out) == []


def test_killed_while_a_framework_reads_the_source(tmp_path):
    """The graph of a Keras model is cached; killed on the way, the cache must not hold half of it."""
    words = ["build", str(model_path()), "-t", "onnx-arm64", "-o", str(tmp_path / "out"), "-q"]
    env = {**os.environ, "MEXPORT_CACHE": str(tmp_path / "cache")}
    code = DIE.format(module="graph.files", name="load_graph", after=True)
    killed = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, env=env, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = subprocess.run([sys.executable, "-m", "exporter", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert leftovers(tmp_path / "cache" / "graph", tmp_path / "out") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_interrupted_leaves_nothing_behind(tmp_path, number):
    temp = tmp_path / "temp"
    temp.mkdir()
    process = start("build", model_path(), "-t", "onnx-arm64", "-o", tmp_path / "out", TMPDIR=str(temp), MEXPORT_CACHE=str(tmp_path / "c"))
    wait_for(lambda: any(temp.iterdir()))  # the framework's child process is starting: seconds of work ahead
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does it
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert list(temp.iterdir()) == []
    assert leftovers(tmp_path) == []
    assert not list(tmp_path.glob("out/*"))
    wait_for(lambda: not group_alive(process.pid))


def group_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, limit_s=60.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, small_disk):
    model = classifier(tmp_path / "big.onnx", width=12_000)  # 1.7 MB of weights on a disk of 1 MiB
    ended = mexport("build", model, "-t", "tflite-arm64", "-o", small_disk / "out", "-q")
    assert ended.code == 10
    assert "the disk is full" in ended.err
    assert leftovers(small_disk) == []
    assert not list(small_disk.glob("out/*"))


def test_a_full_cache_is_told(tmp_path, small_disk, monkeypatch):
    monkeypatch.setenv("MEXPORT_CACHE", str(small_disk / "cache"))
    (small_disk / "filler").write_bytes(b"x" * (2**20 - 8192))
    model = classifier(tmp_path / "small.onnx", size=64)
    ended = mexport("build", model, "-t", "tflite-arm64", "-o", tmp_path / "out", "-q")
    assert ended.code in (0, 10)  # the reference may just fit
    assert "Traceback" not in ended.err


def test_two_builds_at_once(tmp_path):
    model = classifier(tmp_path / "small.onnx")
    words = ("build", model, "-t", "tflite-arm64", "-t", "ncnn-arm64", "-o", tmp_path / "out", "-q")
    both = [start(*words, MEXPORT_CACHE=str(tmp_path / "cache")) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    for target in ("tflite-arm64", "ncnn-arm64"):
        read_bundle(tmp_path / "out" / f"small--{target}")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", b"PK\x03\x04"]
)
def test_what_is_no_model_is_refused_by_name(tmp_path, content):
    model = tmp_path / "model.onnx"
    model.write_bytes(content)
    ended = mexport("build", model, "-t", "onnx-arm64", "-o", tmp_path / "out")
    assert ended.code == 3
    assert "model.onnx" in ended.err
    assert "defect" not in ended.err


def test_truncated_and_noisy_sources_end_in_a_sentence(tmp_path):
    whole = classifier(tmp_path / "small.onnx").read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[: len(whole) * k // 8] for k in range(1, 8)]
    for _ in range(12):
        noisy = bytearray(whole)
        for at in rng.integers(0, len(noisy), 3):
            noisy[at] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(noisy))
    for i, content in enumerate(damaged):
        model = tmp_path / f"damaged{i}.onnx"
        model.write_bytes(content)
        ended = mexport("build", model, "-t", "onnx-arm64", "-o", tmp_path / "out", "-q")
        assert ended.code == 0 or ended.code in BY_CODE, (i, ended.err)
        assert "defect of mexport" not in ended.err, (i, ended.err)


def test_a_damaged_bundle_is_built_again_and_never_run(tmp_path):
    model = classifier(tmp_path / "small.onnx")
    words = ("build", model, "-t", "tflite-arm64", "-o", tmp_path, "-q")
    assert mexport(*words).code == 0
    artifact = tmp_path / "small--tflite-arm64" / "model.tflite"
    good = artifact.read_bytes()
    artifact.write_bytes(good[:-4] + b"\x00\x01\x02\x03")
    for command in ("verify", "bench", "report"):
        ended = mexport(command, tmp_path / "small--tflite-arm64")
        assert ended.code == 9
        assert "model.tflite is damaged" in ended.err
    assert mexport(*words).code == 0
    assert artifact.read_bytes() == good
