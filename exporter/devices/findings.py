"""What of emulated ARM is here and what is missing, each lack with the command that mends it: for `doctor` and `runner status`."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from exporter import shell
from exporter.devices.binfmt import emulator, entry
from exporter.devices.container import emulated
from exporter.devices.engine import INSTALL, Docker, find_engine
from exporter.devices.images import find_image
from exporter.devices.platforms import TABLE, Platform
from exporter.devices.probe import runs
from exporter.errors import MexportError, ToolError

ANSWER_S = 20


@dataclass(frozen=True, slots=True)
class Look:
    """One thing looked at.

    Attributes:
        name: What.
        ok: Whether it will do.
        found: What is there.
        needed_for: What needs it.
        remedy: The command that mends it.
    """

    name: str
    ok: bool
    found: str
    needed_for: str
    remedy: str | None = None


def looks() -> Iterator[Look]:
    """The engine; for each platform whether its programs run and its image is there; what images are made with."""
    docker = find_engine(ANSWER_S)
    said = f"{docker.version} at {docker.address}" if docker else "none answers"
    yield Look("docker engine", docker is not None, said, "running on ARM", None if docker else f"sudo {INSTALL}")
    for platform in TABLE.values():
        yield from _platform(docker, platform) if docker else _alone(platform)
    made = shutil.which("mmdebstrap")
    mend = None if made else "apt-get install mmdebstrap arch-test"
    yield Look("mmdebstrap", bool(made), made or "missing", "ARM images where no registry is reached", mend)
    pip = shell.run([sys.executable, "-m", "pip", "--version"], timeout_s=60, check=False, error=ToolError)
    ok, mend = pip.code == 0, f"{sys.executable} -m ensurepip"
    yield Look("pip", ok, pip.stdout.partition(" from ")[0] if ok else "missing", "fetching the ARM engines", None if ok else mend)


def _alone(platform: Platform) -> Iterator[Look]:
    """What can be told of a platform without an engine."""
    found, native = entry(platform), platform.abi.runs_on(os.uname().machine)
    ok = native or (found is not None and found.enabled and found.fixed)
    said = "native" if native else f"emulated by {emulator(platform) or platform.qemu}" if ok else "its programs do not run: no emulator"
    mend = f"sudo {INSTALL} --platform {platform.name}"
    yield Look(platform.docker, ok, said, f"docker:{platform.name}", None if ok else mend)
    yield Look(f"{platform.name} image", False, "not known: no engine answers", f"docker:{platform.name}", mend)


def _platform(docker: Docker, platform: Platform) -> Iterator[Look]:
    try:
        works = runs(docker, platform)
        image = find_image(docker, platform)
    except MexportError as problem:
        yield Look(platform.docker, False, problem.message, f"docker:{platform.name}", problem.hint)
        return
    said = "native, nothing is emulated" if not emulated(docker, platform) else f"emulated by {emulator(platform) or 'the engine'}"
    mend = None if works else f"sudo {INSTALL} --platform {platform.name}"
    yield Look(platform.docker, works, said if works else "its programs do not run: no emulator", f"docker:{platform.name}", mend)
    there = image is not None
    size = f"{image.reference}, {image.bytes / 2**20:.0f} MiB, from {image.base}" if image else "not built yet"
    mend = None if there else f"mexport runner build --platform {platform.name}"
    yield Look(f"{platform.name} image", there, size, f"docker:{platform.name}", mend)
