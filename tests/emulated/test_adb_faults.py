"""Everything that can be cut off on the way to a phone: a typed error with its remedy, and nothing left on the phone."""

import os
import signal
import subprocess
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.devices.adb import Adb
from exporter.devices.engine import Docker
from exporter.devices.native import PROGRAM, Runner
from exporter.devices.phone_folder import PARENT, phone_folder
from exporter.errors import DeviceError, DiskError, IntegrityError
from tests.command import Ended, mexport, start
from tests.emulated.phone_kit import Container, connect, start_phone
from tests.small_models import classifier

LONG = ("--num-runs", "1000000", "--json", "-q")
"""A run that goes on until something happens."""

HEAD_S = 150.0
"""Longer than any error may take."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("faults")
    flags = ["--precision", "fp32", "--mean", "127.5", "--std", "127.5", "-q"]
    ended = mexport("build", classifier(place / "small.onnx"), "-t", "ncnn-arm64", *flags, "-o", place / "out")
    assert ended.code == 0, ended.err
    return place / "out" / "small--ncnn-arm64"


def cut(phone: Container, bundle: Path, what: Callable[[subprocess.Popen[str]], object], *words: str) -> Ended:
    """Start a long run, and do something to it in the middle."""
    process = start("bench", bundle, "--on", f"adb:{phone.serial}", *(words or LONG))
    try:
        phone.wait_until(lambda: phone.runs() or process.poll() is not None, HEAD_S)
        if process.poll() is None:
            what(process)
        out, err = process.communicate(timeout=HEAD_S)
    finally:
        process.kill()
    assert process.returncode != 0, f"it was not cut: {out} {err}"
    return Ended(process.returncode, out, err)


def test_the_server_is_killed(adb_device: Container, native_runner: Runner, bundle: Path) -> None:
    ended = cut(adb_device, bundle, lambda process: subprocess.run(["adb", "kill-server"], check=True, capture_output=True))
    assert ended.code == 11
    assert adb_device.serial in ended.facts["error"]["message"]
    assert ended.facts["error"]["hint"]
    adb_device.require_clean()
    connect(adb_device)


def test_the_phone_goes_away_and_comes_back(adb_engine: Docker, native_runner: Runner, bundle: Path) -> None:
    phone = start_phone(adb_engine)
    try:
        ended = cut(phone, bundle, lambda process: phone.container.kill())
        assert ended.code == 11
        assert phone.serial in ended.facts["error"]["message"]
        assert "may still be there; the next run removes it" in ended.facts["error"]["message"]
        phone.container.start()
        connect(phone)
        assert phone.is_clean(), "its disk is in memory: power off empties it"
    finally:
        phone.container.remove(force=True)


def test_what_a_dead_phone_kept_is_removed_by_the_next_run(adb_device: Container) -> None:
    adb = Adb(adb_device.serial)
    with phone_folder(adb) as folder:
        left = folder.path[:-8] + "00000000"
    adb.shell(f"mkdir {left} && touch {left}/m0.bin")
    with phone_folder(adb) as folder:
        assert adb_device.files() == [Path(folder.path).name]
    adb_device.require_clean()


def test_our_own_death_leaves_nothing(adb_device: Container, native_runner: Runner, bundle: Path) -> None:
    """SIGKILL: no code of ours runs any more; the keeper on the phone notices."""
    ended = cut(adb_device, bundle, lambda process: os.kill(process.pid, signal.SIGKILL))
    assert ended.code == -signal.SIGKILL
    adb_device.require_clean()


def test_an_interrupted_run_leaves_nothing(adb_device: Container, native_runner: Runner, bundle: Path) -> None:
    ended = cut(adb_device, bundle, lambda process: os.kill(process.pid, signal.SIGINT))
    assert ended.code == 130
    adb_device.require_clean()


def test_a_full_disk(adb_engine: Docker, native_runner: Runner, bundle: Path) -> None:
    phone = start_phone(adb_engine, disk_mib=1)
    try:
        ended = mexport("bench", bundle, "--on", f"adb:{phone.serial}", "--json", "-q")
        assert ended.code == DiskError.code
        assert f"{phone.serial} is full" in ended.facts["error"]["message"]
        phone.require_clean()
    finally:
        phone.container.remove(force=True)


def test_two_at_once(adb_device: Container, native_runner: Runner, bundle: Path) -> None:
    said: list[Ended] = []

    def second(process: subprocess.Popen[str]) -> None:
        said.append(mexport("bench", bundle, "--on", f"adb:{adb_device.serial}", "--json", "-q"))
        process.terminate()

    cut(adb_device, bundle, second)
    assert said[0].code == 11
    assert f"another run measures on {adb_device.serial}" in said[0].facts["error"]["message"]
    adb_device.require_clean()


def test_another_computer_is_there(adb_device: Container) -> None:
    adb = Adb(adb_device.serial)
    other = f"{PARENT}/mexport-ffffffff-00000000"
    adb.shell(f"mkdir {other}")
    try:
        with pytest.raises(DeviceError, match="another computer measures on") as caught, phone_folder(adb):
            pass
        assert f"rm -rf {other}" in str(caught.value.hint)
    finally:
        adb.shell(f"rmdir {other}")


def test_a_file_that_arrives_changed(adb_device: Container, native_runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """adb itself is real; a script before it breaks what it has copied."""
    real = subprocess.run(["sh", "-c", "command -v adb"], capture_output=True, text=True, check=True).stdout.strip()
    script = f"""\
        #!/bin/sh
        {real} "$@" || exit $?
        if [ "$3" = push ]; then {real} -s "$2" shell "echo x >> $5"; fi
        """
    (tmp_path / "adb").write_text(textwrap.dedent(script))
    (tmp_path / "adb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with (
        pytest.raises(IntegrityError, match=f"{PROGRAM} arrived on {adb_device.serial} with sha256"),
        phone_folder(Adb(adb_device.serial)) as f,
    ):
        f.push(native_runner.path, PROGRAM, program=True)
    adb_device.require_clean()


def test_a_program_that_takes_too_long(adb_device: Container) -> None:
    started = time.monotonic()
    with pytest.raises(DeviceError, match="gave no answer within 3 s"), phone_folder(Adb(adb_device.serial)) as folder:
        folder.run("sleep 600", limit_s=3.0)
    assert time.monotonic() - started < HEAD_S
    adb_device.require_clean()
