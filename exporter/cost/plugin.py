"""The TCG plugin that counts: compiled on the spot by the host's C compiler, and kept in the store."""

import hashlib
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from exporter import shell
from exporter.devices.platforms import Platform
from exporter.errors import ToolError
from exporter.fingerprint import fingerprint
from exporter.resources import data_folder
from exporter.store import Store

FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A built plugin.

    Attributes:
        path: The shared library; it stays while the Store that was asked for it is open.
        version: sha256 of its source, shortened: what a count depends on.
    """

    path: Path
    version: str


def plugin(store: Store) -> Plugin:
    """The plugin, built when the store lacks it.

    Raises:
        ToolError: If there is no C compiler, or it fails.
    """
    folder, program = data_folder("native") / "qemu-plugin", compiler()
    source = hashlib.sha256(b"".join(f.read_bytes() for f in sorted(folder.glob("*.[ch]")))).hexdigest()
    said = shell.run([program, "--version"], timeout_s=30, error=ToolError).stdout.splitlines()
    key = fingerprint(plugin=source, compiler=said[:1], flags=FLAGS, machine=platform.machine())
    while (place := store.get("tool", key)) is None:
        with store.put("tool", key) as draft:
            words: list[str | Path] = [program, *FLAGS, "-o", draft / "mxcount.so", folder / "mxcount.c"]
            shell.run(words, timeout_s=120, error=ToolError, hint="apt-get install gcc libc6-dev")
    return Plugin(place / "mxcount.so", source[:16])


def compiler() -> str:
    """The host's C compiler.

    Raises:
        ToolError: If there is none.
    """
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        raise ToolError("no C compiler (cc) is installed; counting needs one", hint="apt-get install gcc libc6-dev")
    return found


def emulator(platform: Platform) -> tuple[str, str]:
    """The program that emulates a platform with plugins, and its version.

    Raises:
        ToolError: If it is not installed, or was built without plugins, as static builds are.
    """
    hint = "apt-get install qemu-user: the dynamic build, not qemu-user-static"
    path = shutil.which(platform.qemu)
    if path is None:
        raise ToolError(f"{platform.qemu} is not installed; counting needs it", hint=hint)
    if "-plugin" not in shell.run([path, "-h"], timeout_s=30, check=False).stdout:
        raise ToolError(f"{path} takes no plugins; counting needs them", hint=hint)
    first = shell.run([path, "--version"], timeout_s=30, error=ToolError).stdout.splitlines()[0]
    return path, first.partition(" version ")[2].split()[0]
