"""A bundle counted for real and predicted, and a phone's time learned."""

import json
from pathlib import Path

import pytest

from exporter.cost.counting import Tools
from exporter.devices.native import Runner
from exporter.forecasting.predict import predict_path
from exporter.store import Store
from tests.command import mexport
from tests.cost.conftest import qemu
from tests.small_models import classifier

__all__ = ["qemu"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    ended = mexport("build", classifier(folder / "small.onnx", size=48, width=32), "--target", "ncnn-arm64", "-o", folder / "out")
    assert ended.code == 0, ended.err
    return next((folder / "out").iterdir())


def test_a_bundle_is_counted_and_predicted(bundle: Path, native_runner: Runner, qemu: None, tmp_path: Path) -> None:
    tools, devices = Tools(runner=native_runner.path), tmp_path / "devices"
    facts = predict_path(bundle, "raspberry-pi-5", tools=tools, store=Store(tmp_path / "cache"), devices_folder=devices)
    assert (facts["kind"], facts["unit"], facts["threads"]) == ("predicted", "ms", 1)
    (result,) = facts["results"]
    (got,) = result["predictions"]
    assert result["precision"] == "fp16"
    assert 0 < got["low"] <= got["ms"] <= got["high"]
    counts = result["counts"]["cortex-a76"]
    assert counts["total"] > 0
    assert counts["l1_misses"] >= counts["l2_misses"]
    cycles = got["ms"] * 2.4e6  # of a Raspberry Pi 5
    assert 0.25 < cycles / counts["total"] < 4  # an instruction takes a quarter of a cycle at the least

    results = tmp_path / "results.json"
    row = {"name": bundle.name, "threads": 1, "ms": [3 * got["ms"]], "engine": "ncnn"}
    results.write_text(json.dumps({"kind": "measured", "device": {"model": "P"}, "results": [row]}))
    learned = predict_path(
        bundle, "my-phone", results=results, core="cortex-a76", tools=tools, store=Store(tmp_path / "cache"), devices_folder=devices
    )
    assert learned["learned"]["device"] == "my-phone"
    assert learned["results"][0]["predictions"][0]["ms"] == pytest.approx(3 * got["ms"], rel=1e-3)  # its scale is set by this one time
