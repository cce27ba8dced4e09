"""Bundles: complete or absent, one build in one place, every file checked."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter import disk
from exporter.bundle import Bundle, Reference, check_place, find_bundles, read_bundle, write_bundle
from exporter.errors import DiskError, IntegrityError, UsageError
from exporter.preprocessing import Preprocessing
from exporter.schema import manifest_problem, manifest_schema
from tests.manifests import manifest_for, plain_artifact

IDENTITY = {"source": "abc", "precision": "fp32", "recipe": []}


def fill(folder: Path, **changes: Any) -> dict[str, Any]:
    arrays = {"scores": np.ones((2, 10), np.float32)}
    Reference({"images": np.zeros((2, 8, 6, 3), np.float32)}, arrays, arrays).save(folder)
    return manifest_for(plain_artifact(folder), "chw", Preprocessing(), "ncnn-arm64", **changes)


def make(folder: Path, identity: dict[str, Any] = IDENTITY, **options: Any) -> Bundle:
    return write_bundle(folder, fill, identity=identity, documents=lambda m: {"report.md": f"# {m['name']}\n"}, **options)


def test_written_and_read(tmp_path: Path) -> None:
    made = make(tmp_path / "out" / "net--ncnn-arm64")
    names = sorted(f.name for f in made.path.iterdir())
    assert names == ["manifest.json", "model.ncnn.bin", "model.ncnn.param", "reference.npz", "report.md"]
    got = read_bundle(made.path)
    assert got.manifest == made.manifest
    assert got.manifest["schema"] == 1
    assert [f["path"] for f in got.manifest["files"]] == ["model.ncnn.bin", "model.ncnn.param", "reference.npz"]
    artifact = got.artifact()
    assert artifact.path == made.path / "model.ncnn.param"
    assert artifact.inputs[0].perm == (1, 2, 3)
    reference = got.reference()
    assert reference.inputs["images"].shape == (2, 8, 6, 3)
    assert list(reference.reference) == list(reference.graph) == ["scores"]
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["net--ncnn-arm64"]


def test_names_with_slashes_and_dots(tmp_path: Path) -> None:
    reference = Reference({"a/b:0": np.ones(2)}, {"x.y": np.ones(3)}, {})
    reference.save(tmp_path)
    got = Bundle(tmp_path, {}).reference()
    assert list(got.inputs) == ["a/b:0"]
    assert list(got.reference) == ["x.y"]


def test_same_files_same_bytes(tmp_path: Path) -> None:
    one, two = make(tmp_path / "a" / "net"), make(tmp_path / "b" / "net")
    assert all((two.path / f.name).read_bytes() == f.read_bytes() for f in one.path.iterdir())


def test_the_same_build_replaces_itself(tmp_path: Path) -> None:
    make(tmp_path / "net")
    make(tmp_path / "net")
    assert [f.name for f in tmp_path.iterdir()] == ["net"]


def test_another_build_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "net")
    other = {**IDENTITY, "precision": "fp16"}
    with pytest.raises(UsageError, match=r"holds another build \(precision: fp32 there, fp16 here\)") as caught:
        make(tmp_path / "net", other)
    assert "--force" in str(caught.value.hint)
    with pytest.raises(UsageError, match="holds another build"):
        check_place(tmp_path / "net", other)
    assert make(tmp_path / "net", other, force=True).manifest["identity"]["precision"] == "fp16"
    assert [f.name for f in tmp_path.iterdir()] == ["net"]


def test_what_is_no_bundle_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="is no bundle"):
        make(tmp_path / "net", force=True)
    assert (tmp_path / "net" / "thesis.txt").exists()


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    assert read_bundle(make(tmp_path / "net").path)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    make(tmp_path / "net")

    def broken(folder: Path) -> dict[str, Any]:
        fill(folder)
        raise DiskError("full")

    with pytest.raises(DiskError):
        write_bundle(tmp_path / "net", broken, identity=IDENTITY)
    assert read_bundle(tmp_path / "net")
    assert [f.name for f in tmp_path.iterdir()] == ["net"]


def test_an_invalid_manifest_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="precision: 'fp8' is not one of"):
        write_bundle(tmp_path / "net", lambda folder: fill(folder, precision="fp8"), identity=IDENTITY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.ncnn.bin", "model.ncnn.param", "reference.npz"])
def test_a_flipped_bit_is_named(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / "net").path / name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(IntegrityError, match=rf"{name} is damaged: its sha256"):
        read_bundle(tmp_path / "net")
    path.unlink()
    with pytest.raises(IntegrityError, match=rf"{name} is damaged: it is missing"):
        read_bundle(tmp_path / "net")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "has schema 2, this version reads 1"),
        ({"seed": "x"}, "seed: 'x' is not of type 'integer'"),
        ({"colour": 1}, "colour"),
        ({"files": [{"path": "../../etc/passwd", "sha256": "0" * 64, "bytes": 1}]}, "files/0/path"),
        ({"files": [{"path": "/etc/passwd", "sha256": "0" * 64, "bytes": 1}]}, "files/0/path"),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = make(tmp_path / "net").path / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(IntegrityError, match=message):
        read_bundle(tmp_path / "net")


def test_an_unreadable_manifest_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = make(tmp_path / "net").path / "manifest.json"
    path.write_text("{")
    with pytest.raises(IntegrityError, match="cannot be read"):
        read_bundle(tmp_path / "net")
    with pytest.raises(UsageError, match="holds a bundle that cannot be read"):
        make(tmp_path / "net")
    assert make(tmp_path / "net", force=True)


def test_find_bundles(tmp_path: Path) -> None:
    make(tmp_path / "b")
    make(tmp_path / "a")
    (tmp_path / "notes").mkdir()
    assert [b.path.name for b in find_bundles(tmp_path)] == ["a", "b"]
    assert [b.path.name for b in find_bundles(tmp_path / "b")] == ["b"]
    with pytest.raises(UsageError, match="is no bundle and holds none"):
        find_bundles(tmp_path / "notes")


WRITER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from exporter.bundle import write_bundle
    from tests.test_bundle import IDENTITY, fill
    def slow(folder):
        facts = fill(folder)
        print("ready", flush=True)
        time.sleep(float(sys.argv[2]))
        return facts
    write_bundle(Path(sys.argv[1]), slow, identity=IDENTITY, force=True)
""")


def start(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("there", [True, False])
def test_kill_9_while_writing(tmp_path: Path, there: bool) -> None:
    if there:
        make(tmp_path / "net")
    child = start(tmp_path / "net", 60)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert (tmp_path / "net").exists() == there
    if there:
        assert read_bundle(tmp_path / "net")
    assert len(list(tmp_path.glob(f"{disk.DRAFT}*"))) == 1
    make(tmp_path / "net")  # the next build sweeps
    assert [f.name for f in tmp_path.iterdir()] == ["net"]


def test_two_builds_at_once(tmp_path: Path) -> None:
    children = [start(tmp_path / "net", 0.2) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]
    for child in children:
        assert child.stdout is not None
        child.stdout.close()
    assert read_bundle(tmp_path / "net")
    assert [f.name for f in tmp_path.iterdir()] == ["net"]


def test_full_disk(small_disk: Path) -> None:
    def big(folder: Path) -> dict[str, Any]:
        (folder / "model.ncnn.bin").write_bytes(bytes(4 << 20))
        return {}

    with pytest.raises(DiskError, match="the disk is full"):
        write_bundle(small_disk / "net", big, identity=IDENTITY)
    assert list(small_disk.iterdir()) == []


def test_the_schema_is_a_schema() -> None:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(manifest_schema())
    assert manifest_problem({}) is not None
