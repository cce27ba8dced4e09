"""What of emulated ARM is here and what is missing, each lack with the command that mends it: for `doctor` and `runner status`."""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.devices.binfmt import emulator
from exporter.devices.container import emulated
from exporter.devices.engine import INSTALL, Docker, find_engine
from exporter.devices.images import find_image
from exporter.devices.platforms import TABLE, Platform
from exporter.devices.probe import runs
from exporter.errors import MexportError

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
    """The engine, and for each platform whether its programs run and its image is there."""
    docker = find_engine(ANSWER_S)
    if docker is None:
        yield Look("docker engine", False, "none answers", "running on ARM", f"sudo {INSTALL}")
        return
    yield Look("docker engine", True, f"{docker.version} at {docker.address}", "running on ARM")
    for platform in TABLE.values():
        yield from _platform(docker, platform)


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
    yield Look(
        f"{platform.name} image",
        there,
        size,
        f"docker:{platform.name}",
        None if there else f"mexport runner build --platform {platform.name}",
    )
