"""`mexport profile`: what is refused before anything is counted."""

import pytest

from tests.command import mexport
from tests.small_models import classifier


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--on", "host"), 11, "--on host: counting instructions does not run there"),
        (("--on", "adb:1"), 11, "--on docker:arm64"),
        (("--on", "docker:riscv"), 11, "no such device"),
        (("--cpu", "cortex-a54"), 2, "did you mean `cortex-a57`?"),
        (("--on", "docker:armv7", "--cpu", "cortex-a53"), 2, "unknown armv7 core: cortex-a53"),
        (("--picture", "cost.png"), 2, "give cost.svg"),
        (("--trace", "missing/trace.json"), 2, "there is no folder missing"),
    ],
)
def test_refusals(tmp_path, words, code, said):
    ended = mexport("profile", classifier(tmp_path / "net.onnx"), *words)
    assert ended.code == code
    assert said in ended.err


def test_an_engine_that_a_platform_lacks(tmp_path, monkeypatch):
    ended = mexport("profile", classifier(tmp_path / "net.onnx"), "--on", "docker:armv7")
    assert ended.code in (7, 8)  # 7 where qemu is missing
    assert "onnxruntime does not exist for linux/arm/v7" in ended.err or "qemu-arm" in ended.err


def test_without_qemu(tmp_path, monkeypatch):
    model = classifier(tmp_path / "net.onnx")
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = mexport("profile", model)
    assert ended.code == 7
    assert "qemu-aarch64 is not installed; counting needs it" in ended.err
    assert "apt-get install qemu-user" in ended.err
