"""Folders that are complete or absent: failures, kill -9, two writers at once, a full disk."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest

from exporter import disk
from exporter.errors import DiskError


def drafts(folder: Path) -> list[Path]:
    return list(folder.glob(f"{disk.DRAFT}*"))


def write(place: Path, text: str = "x") -> bool:
    with disk.draft(place.parent) as draft:
        (draft / "file").write_text(text)
        return disk.publish(draft, place)


def test_published_or_absent(tmp_path: Path) -> None:
    assert write(tmp_path / "deep" / "a")
    assert (tmp_path / "deep" / "a" / "file").read_text() == "x"
    assert drafts(tmp_path / "deep") == []


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk.draft(tmp_path / "new" / "out") as draft:
        (draft / "deep" / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_the_first_writer_wins(tmp_path: Path) -> None:
    assert write(tmp_path / "a", "first")
    assert not write(tmp_path / "a", "second")
    assert (tmp_path / "a" / "file").read_text() == "first"
    assert drafts(tmp_path) == []


@pytest.mark.parametrize("swaps", [True, False])
def test_replace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swaps: bool) -> None:
    if not swaps:
        monkeypatch.setattr(disk, "_exchange", lambda a, b: False)
    write(tmp_path / "a", "old")
    with disk.draft(tmp_path) as draft:
        (draft / "file").write_text("new")
        disk.replace(draft, tmp_path / "a")
    assert (tmp_path / "a" / "file").read_text() == "new"
    assert drafts(tmp_path) == []


def test_sweep_leaves_living_drafts(tmp_path: Path) -> None:
    with disk.draft(tmp_path) as living:
        dead = tmp_path / f"{disk.DRAFT}dead"
        dead.mkdir()
        (dead / "file").write_text("x")
        assert disk.sweep(tmp_path) == 1
        assert drafts(tmp_path) == [living]


def test_kill_9_leaves_no_half(tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from exporter import disk
        with disk.draft(Path(sys.argv[1])) as draft:
            (draft / "file").write_text("half")
            print("ready", flush=True)
            time.sleep(60)
            disk.publish(draft, Path(sys.argv[1], "a"))
    """)
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    assert disk.sweep(tmp_path) == 0  # it lives
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not (tmp_path / "a").exists()
    assert len(drafts(tmp_path)) == 1
    assert write(tmp_path / "a", "whole")  # the next writer sweeps
    assert (tmp_path / "a" / "file").read_text() == "whole"
    assert drafts(tmp_path) == []


def test_scratch_space_of_a_killed_process_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = textwrap.dedent("""
        import time
        from pathlib import Path
        from exporter.disk import Scratch
        with Scratch() as folder:
            Path(folder, "file").write_text("half")
            print(folder, flush=True)
            time.sleep(60)
    """)
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert child.stdout is not None
    theirs = Path(child.stdout.readline().strip())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    other = tmp_path / "mexport-mine"
    other.mkdir()
    with disk.Scratch() as mine:
        assert {*tmp_path.iterdir()} == {other, theirs, Path(mine)}  # it lives
        assert Path(mine).stat().st_mode & 0o077 == 0
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert {*tmp_path.iterdir()} == {other, theirs}
    with disk.Scratch() as mine:
        assert {*tmp_path.iterdir()} == {other, Path(mine)}
    assert {*tmp_path.iterdir()} == {other}


def test_many_writers_at_once(tmp_path: Path) -> None:
    results: list[bool] = []
    threads = [threading.Thread(target=lambda i=i: results.append(write(tmp_path / "a", f"{i}" * 1000))) for i in range(12)]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 11 + [True]
    assert len(set((tmp_path / "a" / "file").read_text())) == 1
    assert drafts(tmp_path) == []


def test_discard_leaves_what_is_held(tmp_path: Path) -> None:
    write(tmp_path / "a")
    handle = disk.hold(tmp_path / "a")
    assert handle is not None
    assert not disk.discard(tmp_path / "a")
    os.close(handle)
    assert disk.discard(tmp_path / "a")
    assert disk.hold(tmp_path / "a") is None
    assert list(tmp_path.iterdir()) == []


def test_full_disk(small_disk: Path) -> None:
    with pytest.raises(DiskError, match="the disk is full") as caught, disk.draft(small_disk) as draft:
        (draft / "file").write_bytes(bytes(4 << 20))
    assert "free some space" in str(caught.value.hint)
    assert list(small_disk.iterdir()) == []


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(DiskError, match="a file stands where a folder is needed"), disk.draft(tmp_path / "out"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DiskError, match="no permission"), disk.draft(tmp_path / "out"):
        pass


def test_other_errors_stay() -> None:
    with pytest.raises(FileNotFoundError), disk.disk_errors():
        Path("/nonexistent/file").read_text()
