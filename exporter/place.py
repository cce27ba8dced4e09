"""Where things run: `--on host | docker:arm64 | docker:armv7 | adb:SERIAL`."""

import platform
from dataclasses import dataclass

from exporter.errors import DeviceError

HOST = "host"
DOCKER, ADB = "docker", "adb"
PLATFORMS = ("arm64", "armv7")
"""What Docker runs, emulated or not."""

FORMS = "--on host, docker:arm64, docker:armv7 or adb:SERIAL"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something runs.

    Attributes:
        kind: "host", "docker" or "adb".
        name: The platform ("arm64", "armv7"), the phone's serial number, or nothing.
    """

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind

    @property
    def is_host(self) -> bool:
        """Whether it is this computer itself."""
        return self.kind == HOST


def parse_place(on: str) -> Place:
    """The place that a name stands for.

    Raises:
        DeviceError: For a name that stands for none.
    """
    kind, _, name = on.partition(":")
    known = on == HOST or (kind == DOCKER and name in PLATFORMS) or (kind == ADB and bool(name))
    if not known:
        raise DeviceError(f"--on {on}: no such device", hint=FORMS)
    return Place(kind, name)


def require_kind(on: str, *kinds: str, what: str) -> Place:
    """The place, if it is of a kind that something can run on.

    Args:
        on: The place's name.
        kinds: Of "host", "docker" and "adb".
        what: What is to run, for the message, e.g. "verify".

    Raises:
        DeviceError: For any other place.
    """
    place = parse_place(on)
    if place.kind not in kinds:
        forms = {HOST: HOST, DOCKER: "docker:arm64", ADB: "adb:SERIAL"}
        raise DeviceError(f"--on {on}: {what} does not run there", hint=" or ".join(f"--on {forms[k]}" for k in kinds))
    return place


def require_host(on: str, what: str) -> None:
    """For what runs on this computer only.

    Raises:
        DeviceError: For any other place.
    """
    require_kind(on, HOST, what=what)


def host_name() -> str:
    """This computer's instruction set and processor (Linux tells its name), e.g. "x86_64 AMD EPYC"."""
    with open("/proc/cpuinfo") as facts:
        name = next((line.split(":", 1)[1].strip() for line in facts if line.startswith("model name")), "")
    return f"{platform.machine()} {name}".strip()
