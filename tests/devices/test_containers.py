"""What containers are made from and spoken through, without any."""

import io
import json
import shutil
import socket
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest

from exporter.devices import engine
from exporter.devices.archive import write_archive
from exporter.devices.engine import addresses, own_socket, require_engine
from exporter.devices.probe import program
from exporter.devices.stream import Stream
from exporter.errors import DeviceError
from exporter.place import parse_place, require_kind
from tests.conftest import require


def frame(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxxxL", kind, len(content)) + content


@pytest.fixture
def pair() -> tuple[Stream, socket.socket]:
    ours, theirs = socket.socketpair()
    return Stream(ours), theirs


def test_lines_are_told_from_words(pair: tuple[Stream, socket.socket]) -> None:
    stream, theirs = pair
    whole = frame(2, b"loading\n") + frame(1, b'{"a":') + frame(2, b"more") + frame(1, b" 1}\n{}\n")
    for i in range(0, len(whole), 5):  # frames arrive in pieces
        theirs.sendall(whole[i : i + 5])
    assert stream.line(5) == b'{"a": 1}\n'
    assert stream.line(5) == b"{}\n"
    assert stream.words == b"loading\nmore"
    assert stream.line(0.01) is None
    theirs.sendall(frame(2, b"last words"))
    theirs.close()
    assert stream.line(5) == b""
    assert stream.words.endswith(b"last words")
    with pytest.raises(BrokenPipeError):
        stream.send(b"x")
    stream.close()


@pytest.mark.parametrize(("elf", "emulator"), [(183, "qemu-aarch64"), (40, "qemu-arm")])
def test_the_smallest_program_ends_with_its_own_code(tmp_path: Path, elf: int, emulator: str) -> None:
    found = shutil.which(emulator)
    if found is None:
        require(f"{emulator} is not installed", "qemu")
    path = tmp_path / "probe"
    path.write_bytes(program(elf))
    path.chmod(0o755)
    assert len(program(elf)) < 140
    assert subprocess.run([found, path], check=False).returncode == 42


def test_an_archive_names_its_platform(tmp_path: Path) -> None:
    root = tmp_path / "root.tar"
    with tarfile.open(root, "w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    out = io.BytesIO()
    write_archive(root, "some/name:tag", "linux/arm/v7", out)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        listing = json.load(tar.extractfile("manifest.json"))[0]
        config = json.load(tar.extractfile(listing["Config"]))
    assert listing["RepoTags"] == ["some/name:tag"]
    assert (config["os"], config["architecture"], config["variant"]) == ("linux", "arm", "v7")


def test_docker_host_alone_is_asked_where_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert addresses() == [f"unix://{tmp_path}/none.sock"]
    with pytest.raises(DeviceError, match="no Docker engine answers at"):
        require_engine()


def test_our_own_engine_is_found_by_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("MEXPORT_STATE", str(tmp_path))
    monkeypatch.setattr(engine, "USUAL", ())
    assert addresses() == []
    own_socket().parent.mkdir()
    own_socket().touch()
    assert addresses() == [f"unix://{tmp_path}/docker/docker.sock"]


def test_places() -> None:
    assert str(parse_place("docker:arm64")) == "docker:arm64"
    assert parse_place("adb:192.168.0.7:5555").name == "192.168.0.7:5555"
    assert parse_place("host").is_host
    for wrong in ("docker", "docker:amd64", "adb:", "phone"):
        with pytest.raises(DeviceError, match="no such device"):
            parse_place(wrong)
    with pytest.raises(DeviceError, match="eval does not run there") as caught:
        require_kind("adb:1", "host", "docker", what="eval")
    assert caught.value.hint == "--on host or --on docker:arm64"
