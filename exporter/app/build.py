"""`mexport app build`: bundles in, a signed and checked APK out."""

import hashlib
import shutil
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exporter.app.archive import write_archive
from exporter.app.assets import entries
from exporter.app.checks import check_apk
from exporter.app.compiled import Compiled, compile_app
from exporter.app.engines import libraries, needed, profiles
from exporter.app.jars import fetch_jars
from exporter.app.sign import sign
from exporter.app.tools import Tools, find_tools
from exporter.bundle import Bundle, sha256_file
from exporter.console import Console
from exporter.devices.abi import find_abi
from exporter.disk import Scratch, disk_errors
from exporter.errors import ToolError, UsageError
from exporter.fingerprint import fingerprint
from exporter.store import Store

STORED = ("resources.arsc",)
"""What Android maps into memory as it lies in the file."""


@dataclass(frozen=True, slots=True)
class Apk:
    """A finished app.

    Attributes:
        path: The file.
        bytes: Its size.
        sha256: Of it.
        abis: Processors it has engines for.
        engines: Which.
        models: Names of the bundles in it.
        seconds: It took.
        tools: Whose.
    """

    path: Path
    bytes: int
    sha256: str
    abis: tuple[str, ...]
    engines: tuple[str, ...]
    models: tuple[str, ...]
    seconds: float
    tools: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "path": str(self.path)}


def build_apk(bundles: Sequence[Bundle], out: Path, *, abis: Sequence[str] = ("arm64-v8a",), console: Console) -> Apk:
    """Make the app with these bundles in it.

    Args:
        bundles: What is to run on the phone.
        out: The APK.
        abis: Which processors it is for.
        console: Where progress goes.

    Raises:
        ToolError: If a tool is missing or fails.
        UsageError: If there is nothing to put in, or an engine has no library for an ABI.
        IntegrityError: If a bundle is damaged, or the finished file is not right.
    """
    started = time.monotonic()
    if not bundles:
        raise UsageError("no bundle to put into the app", hint="make one with `mexport build`")
    names = tuple(dict.fromkeys(find_abi(abi).name for abi in abis))
    wanted = needed(bundles)
    tools = find_tools()
    jars = app_jars(tools, wanted, names, console=console)
    with Store() as store, Scratch() as scratch:
        compiled = compile_app(tools, jars, store, console=console)
        native: dict[str, bytes] = {}
        for abi in names:
            native |= libraries(bundles, abi, tools=tools, jars=jars, console=console)
        with console.stage("packing and signing"):
            unsigned = Path(scratch, "unsigned.apk")
            shutil.copyfile(without_bundles(compiled, native, store), unsigned)
            write_archive(unsigned, entries(bundles), level=1)  # weights hardly get smaller, but many of them take long
            signed = Path(scratch, "signed.apk")
            sign(tools, unsigned, signed)
            check_apk(tools, signed, names)
        place(signed, out)
    models = tuple(sorted(b.path.name for b in bundles))
    seconds = round(time.monotonic() - started, 2)
    return Apk(out, out.stat().st_size, sha256_file(out), names, wanted, models, seconds, tools.origin)


def app_jars(tools: Tools, engines: Sequence[str], abis: Sequence[str], extra: Sequence[str] = (), *, console: Console) -> dict[str, Path]:
    """The jars that an app with these engines is made from."""
    wanted = {p for abi in abis for p in profiles(engines, abi)} | set(extra)
    if tools.framework is None:
        wanted.add("framework")
    return fetch_jars(tools, sorted(wanted), console=console)


def without_bundles(compiled: Compiled, native: Mapping[str, bytes], store: Store) -> Path:
    """The unsigned app but for its bundles: compressing the engines is most of the packing, so it is kept.

    Raises:
        ToolError: If it vanished from the store while it was used.
    """
    with zipfile.ZipFile(compiled.base) as base:
        found = {name: base.read(name) for name in base.namelist()}
        stored = {i.filename for i in base.infolist() if i.compress_type == zipfile.ZIP_STORED}
    found |= {"classes.dex": compiled.dex.read_bytes(), "classes2.dex": compiled.jars_dex.read_bytes(), **native}
    key = fingerprint(app={name: hashlib.sha256(data).hexdigest() for name, data in found.items()}, form=1)
    if store.get("tool", key) is None:
        with store.put("tool", key) as folder:
            write_archive(folder / "app.apk", found, stored=frozenset({*stored, *STORED}))
    kept = store.get("tool", key)
    if kept is None:
        raise ToolError("the app vanished from the cache while it was used", hint="run again")
    return kept / "app.apk"


def place(signed: Path, out: Path) -> None:
    """Copy the finished file to its place in one step."""
    fresh = out.with_name(f".{out.name}.part")
    with disk_errors(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(signed.read_bytes())
        fresh.replace(out)
