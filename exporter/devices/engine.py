"""The Docker engine: the one that $DOCKER_HOST names, that of this computer, or one of ours, started where there is none.

Ours is `dockerd` with all it has in the state folder, its socket too, where later commands find it again.
"""

import contextlib
import importlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter import shell
from exporter.devices.archive import write_archive
from exporter.errors import DeviceError, ToolError

USUAL = ("/var/run/docker.sock", "~/.docker/desktop/docker.sock", "~/.docker/run/docker.sock")
"""Where engines listen: Linux's own, and those of Docker Desktop."""

LABEL = "mexport"
"""On everything that we make in an engine."""

OWNER = "mexport.owner"
"""On containers: the process that they work for."""

READY_S = 60.0
"""The engine of a big machine is ready in 6 s."""

INSTALL = "mexport runner setup --yes"


def state_root() -> Path:
    """$MEXPORT_STATE, else $XDG_STATE_HOME/mexport, else ~/.local/state/mexport."""
    if state := os.environ.get("MEXPORT_STATE"):
        return Path(state)
    base = os.environ.get("XDG_STATE_HOME")
    return Path(base or Path.home() / ".local" / "state") / "mexport"


def own_socket() -> Path:
    """Where an engine of ours listens."""
    return state_root() / "docker" / "docker.sock"


@dataclass(frozen=True, slots=True)
class Docker:
    """An engine that answers.

    Attributes:
        client: Of the docker SDK.
        address: Where it listens.
        machine: What it runs on, e.g. "x86_64".
        version: Its own.
        errors: The SDK's errors.
    """

    client: Any
    address: str
    machine: str
    version: str
    errors: Any = field(repr=False)

    def has(self, reference: str) -> bool:
        """Whether it holds an image."""
        try:
            self.client.images.get(reference)
        except self.errors.ImageNotFound:
            return False
        return True

    def load(self, root: Path, reference: str, platform: str) -> None:
        """Make an image of a tar of files."""
        with tempfile.TemporaryFile() as archive, engine_errors(self):
            write_archive(root, reference, platform, archive)
            archive.seek(0)
            self.client.images.load(archive)

    @staticmethod
    def labels() -> dict[str, str]:
        """What our containers carry."""
        return {LABEL: "1", OWNER: str(os.getpid())}


@contextlib.contextmanager
def engine_errors(docker: Docker) -> Iterator[None]:
    """What the engine refuses inside the block becomes a DeviceError."""
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.exceptions.RequestException) as problem:
        raise DeviceError(f"Docker at {docker.address}: {_said(problem)}", hint="mexport doctor") from problem


def _said(problem: Exception) -> str:
    return str(getattr(problem, "explanation", None) or problem).strip().splitlines()[0][:300]


def addresses() -> list[str]:
    """Where engines may listen; $DOCKER_HOST, where it is set, alone."""
    if said := os.environ.get("DOCKER_HOST"):
        return [said]
    usual = [Path(name).expanduser() for name in USUAL]
    return [f"unix://{path}" for path in (*usual, own_socket()) if path.exists()]


def find_engine(timeout_s: int = 600) -> Docker | None:
    """The first engine that answers, None if none does."""
    for address in addresses():
        if (found := _connect(address, timeout_s)) is not None:
            return found
    return None


def require_engine() -> Docker:
    """The engine.

    Raises:
        ToolError: If none is installed.
        DeviceError: If none runs.
    """
    found = find_engine()
    if found is not None:
        return found
    if said := os.environ.get("DOCKER_HOST"):
        raise DeviceError(f"no Docker engine answers at $DOCKER_HOST = {said}", hint="start it, or unset DOCKER_HOST")
    if shutil.which("dockerd") is None and shutil.which("docker") is None:
        raise ToolError("no Docker engine is installed; emulated ARM runs in one", hint=INSTALL)
    raise DeviceError("no Docker engine runs", hint=INSTALL if shutil.which("dockerd") else "start Docker")


def _connect(address: str, timeout_s: int) -> Docker | None:
    import requests
    from docker.client import DockerClient

    errors: Any = importlib.import_module("docker.errors")  # `docker` is also a folder of ours: types get it wrong
    if not _listens(address):
        return None
    try:
        client = DockerClient(base_url=address, timeout=timeout_s, version="auto")
        facts = client.version()
    except (errors.DockerException, requests.exceptions.RequestException, OSError):
        return None
    machine = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l"}.get(facts["Arch"], facts["Arch"])
    return Docker(client, address, machine, facts["Version"], errors)


def _listens(address: str) -> bool:
    """Whether somebody listens at a socket of this computer; for other addresses that is found out by speaking."""
    if not address.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.connect(address.removeprefix("unix://"))
        except OSError:
            return False
    return True


def start_engine() -> Docker:
    """Start an engine of ours, detached: it outlives us, and writes into a log file.

    Raises:
        ToolError: If `dockerd` is missing, or we may not start it.
        DeviceError: If it does not come up; with its last words.
    """
    program = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise ToolError("dockerd is not installed", hint=INSTALL)
    if os.geteuid() != 0:
        raise ToolError("only root may start a Docker engine", hint=f"sudo {INSTALL}")
    folder = own_socket().parent
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    start = 'log=$1; shift; exec setsid --fork "$@" >>"$log" 2>&1 </dev/null'
    places = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid"}
    words = [str(word) for flag, name in places.items() for word in (flag, folder / name)]
    shell.run(["sh", "-c", start, "start", log, program, *words, "-H", f"unix://{own_socket()}"], timeout_s=30, error=ToolError)
    ends = time.monotonic() + READY_S
    while time.monotonic() < ends:
        if (found := _connect(f"unix://{own_socket()}", 600)) is not None:
            return found
        time.sleep(0.1)
    last = " | ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise DeviceError(f"the Docker engine is not ready within {READY_S:g} s; it last wrote: {last}", hint=f"look into {log}")
