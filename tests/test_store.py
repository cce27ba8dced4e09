import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.errors import DiskError, UsageError
from exporter.store import Store, default_root


@dataclass(frozen=True)
class Settings:
    seed: int


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def put(store: Store, key: str, size: int = 10, kind: str = "graph") -> None:
    with store.put(kind, key) as folder:
        (folder / "data").write_bytes(bytes(size))


def test_put_then_get(store: Store) -> None:
    key = store.key("graph", source="abc", seed=1)
    assert store.get("graph", key) is None
    put(store, key)
    found = store.get("graph", key)
    assert found is not None
    assert (found / "data").stat().st_size == 10
    assert store.get("reference", key) is None


def test_keys_depend_on_everything(store: Store) -> None:
    base = store.key("graph", a=1, b=Settings(2))
    assert base == store.key("graph", b=Settings(2), a=1)
    others = {
        store.key("graph", a=2, b=Settings(2)), store.key("graph", a=1, b=Settings(3)),
        store.key("model", a=1, b=Settings(2)), store.key("graph", a="1", b=Settings(2)),
    }  # fmt: skip
    assert base not in others
    assert len(others) == 4
    assert store.key("graph", p=Path("x"), m={None: (1, 2)}, s={"b", "a"}) == store.key("graph", p="x", m={"None": [1, 2]}, s=["a", "b"])
    with pytest.raises(TypeError, match="no plain form"):
        store.key("graph", a=object())


def test_unknown_kind(store: Store) -> None:
    with pytest.raises(UsageError, match="unknown kind of cache entry: latency"):
        store.key("latency")


def test_a_failed_put_leaves_nothing(store: Store) -> None:
    with pytest.raises(FileNotFoundError), store.put("graph", "k") as folder:
        (folder / "deep" / "data").write_text("half")
    assert store.get("graph", "k") is None
    assert store.ls() == []


def test_gc_removes_what_was_used_longest_ago(store: Store) -> None:
    for i, key in enumerate("abc"):
        put(store, key, 1000)
        os.utime(store.root / "graph" / key, (1000 + i, 1000 + i))
    store.get("graph", "a")  # used now
    store.close()
    freed = store.gc(2500)
    assert (freed.entries, freed.bytes, freed.in_use) == (1, 1000, 0)
    assert [e.key for e in store.ls()] == ["c", "a"]


def test_gc_leaves_what_is_in_use(store: Store) -> None:
    put(store, "a")
    assert store.get("graph", "a")
    with Store(store.root) as other:
        assert other.gc(0).in_use == 1
        assert store.get("graph", "a")
        store.close()
        assert other.gc(0).entries == 1
    assert store.get("graph", "a") is None


def test_put_keeps_the_limit(tmp_path: Path) -> None:
    store = Store(tmp_path, limit_bytes=2500)
    for key in "abc":
        put(store, key, 1000)
    assert len(store.ls()) == 2


def test_a_place_for_checkpoints_stays_while_it_is_used(store: Store) -> None:
    key = store.key("model", run=1)
    (store.place("model", key) / "checkpoint").write_bytes(b"x" * 1000)
    with Store(store.root) as other:
        assert other.gc(limit_bytes=0).in_use == 1
    assert (store.place("model", key) / "checkpoint").exists()


@pytest.mark.parametrize("kind", ["graph", "reference", "calibration", "model"])
def test_kill_9_while_writing(store: Store, kind: str) -> None:
    code = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from exporter.store import Store
        with Store(Path(sys.argv[1])).put(sys.argv[2], "k") as folder:
            (folder / "data").write_text("half")
            print("ready", flush=True)
            time.sleep(60)
    """)
    child = subprocess.Popen([sys.executable, "-c", code, str(store.root), kind], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert store.get(kind, "k") is None
    assert store.ls() == []
    assert store.gc().drafts == 1
    put(store, "k", kind=kind)
    assert store.get(kind, "k")


def test_two_processes_at_once(store: Store) -> None:
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from exporter.store import Store
        store = Store(Path(sys.argv[1]))
        for i in range(30):
            key = f"k{i % 5}"
            with store.put("graph", key) as folder:
                (folder / "data").write_text(sys.argv[2] * 1000)
            found = store.get("graph", key)
            assert found is None or len(set((found / "data").read_text())) == 1
            store.close()
            if i % 7 == 0:
                store.gc(2000)
    """)
    children = [subprocess.Popen([sys.executable, "-c", code, str(store.root), name]) for name in "AB"]
    assert [child.wait(120) for child in children] == [0, 0]
    assert all(not e.key.startswith(".") for e in store.ls())


def test_full_disk(small_disk: Path) -> None:
    store = Store(small_disk / "cache")
    with pytest.raises(DiskError, match="the disk is full"):
        put(store, "k", 4 << 20)
    assert store.ls() == []


def test_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEXPORT_CACHE", str(tmp_path / "a"))
    assert default_root() == tmp_path / "a"
    monkeypatch.delenv("MEXPORT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "mexport"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_root() == Path.home() / ".cache" / "mexport"
