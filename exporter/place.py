"""Where things run: `--on host | docker:arm64 | adb:SERIAL`; only this computer so far."""

from exporter.errors import DeviceError

HOST = "host"


def require_host(on: str) -> None:
    """Only this computer can run anything yet.

    Raises:
        DeviceError: For any other place.
    """
    if on != HOST:
        raise DeviceError(f"--on {on}: no such device in this version", hint="--on host")
