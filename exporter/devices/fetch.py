"""What the runner is built with, from the Python package index that pip is set up for: a compiler, cmake, and ncnn's own source."""

import hashlib
import re
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import IntegrityError, ToolError
from exporter.fingerprint import fingerprint
from exporter.shell import run
from exporter.store import Store

ZIG = "0.17.1"
UNEARTH = "0.19.0"
NCNN = "1.0.20261020"
NCNN_SHA256 = "ad8cdd63e9755cfa8e23b9b6d9ce46156077d80298a89e7c3ba325ffccfca200"
"""Of the source that the index must give; every runner is built from the same one, whatever ncnn this computer has."""

OLDEST_CMAKE = (3, 16)
SCOPES = ("global", "download", "install", ":env:")
"""Parts of pip's settings, the one that counts last."""

INDEX = {"index-url": "--index-url", "extra-index-url": "--index-url", "find-links": "--find-link", "trusted-host": "--trusted-host"}
"""pip's settings of where packages come from, to unearth's words."""

FETCH_LIMIT_S = 900.0
NO_INDEX = "check that pip reaches its package index: `python -m pip download --no-deps ziglang`"


@dataclass(frozen=True, slots=True)
class Tools:
    """Programs.

    Attributes:
        zig: The compiler.
        cmake: The build system's maker.
        generator: CMake's name of the build system.
        make: Its program.
    """

    zig: Path
    cmake: Path
    generator: str
    make: Path


def fetch_tools(store: Store) -> Tools:
    """Find the host's cmake and make; fetch what it lacks, and zig.

    Raises:
        ToolError: If something is not to be had.
    """
    zig = _program(_package(store, "ziglang", ZIG), "zig")
    cmake, make = _host_cmake(), shutil.which("make")
    found = cmake or _program(_package(store, "cmake", ""), "cmake")
    if make:
        return Tools(zig, found, "Unix Makefiles", Path(make))
    return Tools(zig, found, "Ninja", _program(_package(store, "ninja", ""), "ninja"))


def fetch_ncnn(store: Store) -> Path:
    """The unpacked source of ncnn.

    `pip download` cannot have it: it asks the source for its version, which is the day's date, and finds another than it asked for.

    Raises:
        ToolError: If it is not to be had.
        IntegrityError: If the index gives another file.
    """
    key = fingerprint(ncnn=NCNN, sha256=NCNN_SHA256)
    if store.get("tool", key) is None:
        with store.put("tool", key) as folder, tarfile.open(packed := _sdist(store, folder)) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # not in Debian 12's Python; the file's sha256 is known
            archive.extractall(folder)
            packed.unlink()
    return _kept(store, key) / f"ncnn-{NCNN}"


def _sdist(store: Store, folder: Path) -> Path:
    library = _package(store, "unearth", UNEARTH, alone=False)
    words: list[str | Path] = [sys.executable, "-m", "unearth", f"ncnn=={NCNN}", "--no-binary", "--download", folder, *_index_words()]
    run(words, timeout_s=FETCH_LIMIT_S, env={"PYTHONPATH": str(library)}, error=ToolError, hint=NO_INDEX)
    packed = folder / f"ncnn-{NCNN}.tar.gz"
    if not packed.is_file():
        raise ToolError(f"the package index has no source of ncnn {NCNN}", hint=NO_INDEX)
    got = hashlib.sha256(packed.read_bytes()).hexdigest()
    if got != NCNN_SHA256:
        raise IntegrityError(f"ncnn-{NCNN}.tar.gz has sha256 {got}, must have {NCNN_SHA256}", hint="the package index gives another file")
    return packed


def _index_words() -> list[str]:
    """Where pip looks, as unearth's words; of two settings of one name the one that pip obeys."""
    said = run([sys.executable, "-m", "pip", "config", "list"], error=ToolError, hint="python -m ensurepip").stdout
    rows = re.findall(r"^(global|download|install|:env:)\.([a-z-]+)='(.*)'$", said, re.MULTILINE)
    settings = {name: value for _, name, value in sorted(rows, key=lambda row: SCOPES.index(row[0]))}
    if not {"index-url", "no-index"} & set(settings):
        return []  # any word would take the place of the default index, which unearth knows as pip does
    pairs = [(INDEX[name], one) for name, value in settings.items() if name in INDEX for one in value.replace("\\n", " ").split()]
    return [word for pair in pairs for word in pair]


def _package(store: Store, name: str, version: str, *, alone: bool = True) -> Path:
    """A folder with a Python package, of one version where that matters."""
    key = fingerprint(package=name, version=version, alone=alone, python=sys.version_info[:2])
    if store.get("tool", key) is None:
        wanted = f"{name}=={version}" if version else name
        with store.put("tool", key) as folder:
            more = ["--no-deps"] if alone else []
            words = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", *more, "--target", str(folder / "site")]
            run([*words, wanted], timeout_s=FETCH_LIMIT_S, error=ToolError, hint=NO_INDEX)
    return _kept(store, key) / "site"


def _kept(store: Store, key: str) -> Path:
    folder = store.get("tool", key)
    if folder is None:
        raise ToolError("a tool vanished from the cache while it was used", hint="run again")
    return folder.absolute()


def _program(folder: Path, name: str) -> Path:
    found = next((p for p in sorted(folder.rglob(name)) if p.is_file()), None)
    if found is None:
        raise ToolError(f"the package in {folder} holds no program {name}", hint=f"remove {folder} and run again")
    found.chmod(found.stat().st_mode | 0o111)
    return found


def _host_cmake() -> Path | None:
    where = shutil.which("cmake")
    if where is None:
        return None
    told = re.search(r"(\d+)\.(\d+)", run([where, "--version"], check=False).stdout)
    return Path(where) if told and (int(told[1]), int(told[2])) >= OLDEST_CMAKE else None
