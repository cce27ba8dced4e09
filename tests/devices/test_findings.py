"""What `doctor` and `runner status` say where things that ARM needs are not there."""

from pathlib import Path

import pytest

from exporter.devices import binfmt, engine
from exporter.doctor import Finding, arm
from tests.command import mexport

WITHOUT_ENGINE = {
    "docker engine": "runner setup", "arm64 image": "runner setup", "linux/arm/v7": "runner setup", "armv7 image": "runner setup",
}  # fmt: skip
WITHOUT_PROGRAMS = {
    "mmdebstrap": "apt-get install mmdebstrap", "C compiler": "apt-get install gcc",
    "qemu-aarch64 with plugins": "apt-get install qemu-user", "qemu-arm with plugins": "apt-get install qemu-user",
}  # fmt: skip


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Finding]:
    """On a computer with nothing: no programs, no engine, an empty table of emulators, an empty cache."""
    for name in ("PATH", "MEXPORT_STATE", "MEXPORT_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "USUAL", ())
    monkeypatch.setattr(binfmt, "TABLE", tmp_path)
    return {f.name: f for f in arm()}


def test_each_lack_has_the_command_that_mends_it(found: dict[str, Finding]) -> None:
    wanted = {**WITHOUT_ENGINE, **WITHOUT_PROGRAMS, "ncnn program for arm64-v8a": "mexport runner native"}
    lacking = {name: f.remedy or "" for name, f in found.items() if not f.ok}
    assert set(wanted) <= set(lacking)
    for name, command in wanted.items():
        assert command in lacking[name], name
    assert not any(f.required for f in found.values())


def test_an_emulator_that_containers_cannot_use_does_not_count(found: dict[str, Finding], tmp_path: Path) -> None:
    (tmp_path / "qemu-arm").write_text("enabled\ninterpreter /usr/bin/qemu-arm-static\nflags: \n")
    assert not {f.name: f for f in arm()}["linux/arm/v7"].ok
    (tmp_path / "qemu-arm").write_text("enabled\ninterpreter /usr/bin/qemu-arm-static\nflags: F\n")
    assert {f.name: f for f in arm()}["linux/arm/v7"].ok


def test_status_tells_what_doctor_tells() -> None:
    told = {f["name"] for f in mexport("runner", "status", "--json").facts["findings"]}
    assert {*WITHOUT_ENGINE, *WITHOUT_PROGRAMS} <= told
    assert told <= {f["name"] for f in mexport("doctor", "--json").facts["findings"]}
