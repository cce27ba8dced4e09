"""Exact counts of small files in their real engines on an emulated core, from the command's side."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.cost.counting import Counter, Tools
from exporter.cost.load import Load
from exporter.devices.engine import find_engine
from exporter.devices.native import Runner
from exporter.devices.platforms import ARM64
from exporter.devices.root import root
from exporter.errors import EngineError
from exporter.profiling import profile_path
from exporter.proving.subject import Subject, subjects
from exporter.store import Store
from tests.command import mexport
from tests.conftest import require
from tests.cost.conftest import qemu
from tests.small_models import classifier

__all__ = ["qemu"]

CORE = "cortex-a53"
BESIDE = {"ncnn": 0.02, "litert": 0.10, "onnxruntime": 0.10}
"""Engine to how far the sum of layers may be from the whole."""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    model = classifier(folder / "small.onnx", size=48, width=32)
    targets = [word for name in ("ncnn", "tflite", "onnx") for word in ("--target", f"{name}-arm64")]
    ended = mexport("build", model, *targets, "-o", folder / "out")
    assert ended.code == 0, ended.err
    return folder / "out"


@pytest.fixture(scope="module")
def arm_root(qemu: None) -> Iterator[Path]:
    if find_engine() is None:
        require("no Docker engine answers; the ARM root comes from its image", "docker")
    with Store(Path(os.environ["MEXPORT_CACHE"])) as store:
        yield root(store, ARM64, print)


@pytest.fixture
def tools(request: pytest.FixtureRequest, runtime: str) -> Tools:
    if runtime == "ncnn":
        runner: Runner = request.getfixturevalue("native_runner")
        return Tools(runner=runner.path)
    return Tools(root=request.getfixturevalue("arm_root"))


def subject(bundles: Path, runtime: str) -> Subject:
    return next(s for s in subjects(bundles) if s.runtime == runtime)


def profiled(bundles: Path, runtime: str, tools: Tools, cache: Path) -> dict[str, Any]:
    (facts,) = profile_path(subject(bundles, runtime).path.parent, cores=[CORE], tools=tools, store=Store(cache))
    return facts


@pytest.mark.parametrize("runtime", ["ncnn", "litert", "onnxruntime"])
def test_two_fresh_processes_count_the_same(bundles, runtime, tools, qemu, tmp_path):
    first = profiled(bundles, runtime, tools, tmp_path / "a")
    second = profiled(bundles, runtime, tools, tmp_path / "b")
    assert abs(first["whole"]["total"] / second["whole"]["total"] - 1) <= 0.001
    assert first["spread"] <= 0.001
    assert abs(first["layers_over_whole"] - 1) <= BESIDE[runtime]
    conv = max(first["layers"], key=lambda x: x["counts"]["total"])
    assert conv["tensor_work"]
    assert conv["counts"]["multiplies"] >= 48 * 48 * 27 * 32 / 4 / 6  # four an instruction, and winograd needs a fifth of them
    assert sum(first["whole"][name] for name in ("load_store", "branch", "simd_fp", "alu", "other")) == first["whole"]["total"]
    assert (first["kind"], first["core"], first["on"]) == ("counted", CORE, "docker:arm64")


@pytest.mark.parametrize("runtime", ["ncnn"])
def test_counts_are_kept_and_caches_counted(bundles, runtime, tools, qemu, tmp_path, monkeypatch):
    found = subject(bundles, runtime)
    load = Load(found.runtime, found.path, found.noise(0), found.options)
    with Store(tmp_path) as store:
        counter = Counter(store, CORE, caches=True, tools=tools)
        first = counter.count(load)
        assert first.whole.l1_misses > first.whole.l2_misses
        monkeypatch.setattr(type(counter.machine), "run", None)  # nothing runs again
        assert counter.count(load) == first


@pytest.mark.parametrize("runtime", ["ncnn", "litert"])
def test_what_an_engine_refuses_is_told(bundles, runtime, tools, qemu, tmp_path):
    found = subject(bundles, runtime)
    broken = tmp_path / found.path.name
    broken.write_bytes(found.path.read_bytes()[: found.path.stat().st_size // 2])
    broken.with_suffix(".bin").write_bytes(b"")
    with (
        Store(tmp_path / "cache") as store,
        pytest.raises(EngineError, match=rf"{runtime} on {broken.name} on an emulated {CORE}: (LiteRT refuses|cannot load)") as problem,
    ):
        Counter(store, CORE, tools=tools, timeout_s=120).count(Load(runtime, broken, found.noise(0), found.options))
    assert problem.value.hint
