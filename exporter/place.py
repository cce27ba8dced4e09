"""Where things run: `--on host | docker:arm64 | adb:SERIAL`; only this computer so far."""

import platform

from exporter.errors import DeviceError

HOST = "host"


def require_host(on: str) -> None:
    """Only this computer can run anything yet.

    Raises:
        DeviceError: For any other place.
    """
    if on != HOST:
        raise DeviceError(f"--on {on}: no such device in this version", hint="--on host")


def host_name() -> str:
    """This computer's instruction set and processor (Linux tells its name), e.g. "x86_64 AMD EPYC"."""
    with open("/proc/cpuinfo") as facts:
        name = next((line.split(":", 1)[1].strip() for line in facts if line.startswith("model name")), "")
    return f"{platform.machine()} {name}".strip()
