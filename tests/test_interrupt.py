"""An interrupt in the very moment in which something begins: nothing is left of it."""

import os
import signal
import subprocess
import tempfile
import threading

import pytest

from exporter import disk, shell
from exporter.child import Child, HostLauncher
from exporter.disk import Scratch
from exporter.interrupt import uninterrupted


def interrupting(function):
    """The function, and an interrupt as soon as it has done its work."""

    def work(*args, **kwargs):
        result = function(*args, **kwargs)
        signal.raise_signal(signal.SIGINT)
        return result

    return work


def test_an_interrupt_waits_and_counts_again_afterwards():
    done = []

    def work():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append("within")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["within"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_each_signal_goes_to_its_own_handler_also_when_blocks_lie_in_one_another():
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with uninterrupted():
            with uninterrupted():
                signal.raise_signal(signal.SIGTERM)
                assert came == []
            assert came == []
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_get_no_interrupts_and_change_no_handlers():
    seen = []

    def work():
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
@pytest.mark.parametrize(("place", "name"), [(tempfile, "mkdtemp"), (tempfile.TemporaryDirectory, "cleanup")], ids=["made", "removed"])
def test_no_folder_is_left(tmp_path, monkeypatch, place, name):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(place, name, interrupting(getattr(place, name)))
    with pytest.raises(KeyboardInterrupt), Scratch():
        pass
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_no_draft_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "_locked_folder", interrupting(disk._locked_folder))
    with pytest.raises(KeyboardInterrupt), disk.draft(tmp_path / "new"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_no_worker_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    started = []

    class Interrupted(HostLauncher):
        def start(self, *args):
            started.append(super().start(*args))
            signal.raise_signal(signal.SIGINT)
            return started[0]

    with pytest.raises(KeyboardInterrupt):
        Child("runtimes.tflite", {}, what="a worker", launcher=Interrupted())
    assert started[0].process.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_no_program_is_left(monkeypatch):
    started = []

    def popen(*args, **kwargs):
        started.append(real(*args, **kwargs))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        shell.run(["sleep", "60"])
    assert started[0].returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.killpg(started[0].pid, 0)
