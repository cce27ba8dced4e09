"""Workers in containers: the same `exporter.worker` and the same engines' sessions, on ARM.

A container is one session: read-only, without network, not root, bounded in memory, processes and time; removed when a limit strikes,
when we are interrupted, and - should we be killed - by its own end of input, by its own clock, or by the next one that starts.
"""

import os
import shutil
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.child import Worker, last_words
from exporter.devices.binfmt import emulator, entry
from exporter.devices.cores import Core
from exporter.devices.engine import LABEL, OWNER, Docker, engine_errors, require_engine
from exporter.devices.images import Image, Say, require_image
from exporter.devices.platforms import Platform, find_platform
from exporter.devices.stream import Stream
from exporter.errors import DeviceError

CODE = "/opt/mexport/code/exporter"
NOBODY = 65534
MEMORY_SHARE = 0.75
"""Of this computer's memory, the most that a container gets."""

PROCESSES = 256
SESSION_S = 4 * 3600
"""No container lives longer, whatever becomes of us."""

PATIENCE = 10.0
"""Emulated engines take 10 to 30 times as long as here; our time limits are wide already."""

HOSTNAME = "mexport.host"

FIRST = ("sh", "-c", '"$@"; exit $?', "sh")
"""The first process of a container: no signal ends that one, so that a crash of anything else in its place would hang for ever."""


@dataclass(frozen=True, slots=True)
class ContainerWorker:
    """A worker in a container."""

    docker: Docker
    container: Any
    stream: Stream

    def send(self, line: bytes) -> None:
        """Write one line."""
        self.stream.send(line)

    def receive(self, limit_s: float) -> bytes | None:
        """Its next line; b"" when it has ended, None when the time is up."""
        return self.stream.line(limit_s)

    def ending(self) -> str:
        """How it ended, in words."""
        self.stream.drain(2.0)
        with engine_errors(self.docker):
            code = int(self.container.wait(timeout=30)["StatusCode"])
            self.container.reload()
        if self.container.attrs["State"].get("OOMKilled"):
            return "killed: it took more memory than it may"
        number = code - 128
        how = f"killed by {signal.Signals(number).name}" if number in set(signal.Signals) else f"ended with exit code {code}"
        return how + last_words(self.stream.words.decode(errors="replace"))

    def close(self) -> None:
        """Remove the container; safe to call twice."""
        self.stream.close()
        remove(self.docker, self.container)


@dataclass(frozen=True, slots=True)
class ContainerLauncher:
    """Starts workers in containers of one platform, on one core.

    Attributes:
        docker: The engine.
        platform: What runs.
        image: What it runs in.
        core: Which core is emulated; None where nothing is.
        patience: What time limits are multiplied with.
    """

    docker: Docker
    platform: Platform
    image: Image
    core: Core | None
    patience: float

    def start(self, module: str, folder: Path, files: Sequence[Path], env: dict[str, str]) -> Worker:
        """Start a worker.

        Raises:
            DeviceError: If the engine does not start the container.
        """
        sweep(self.docker)
        user = _user()
        if os.geteuid() == 0:
            os.chown(folder, *user)
        readable = dict(_readable(files, folder))
        mounts = {str(folder): (str(folder), "rw"), str(Path(__file__).parent.parent): (CODE, "ro")}
        mounts |= {str(kept): (str(path), "ro") for path, kept in readable.items()}
        if self.core is not None:
            (folder / "cpuinfo").write_text(self.core.cpuinfo(os.cpu_count() or 1))
            mounts[str(folder / "cpuinfo")] = ("/proc/cpuinfo", "ro")
            env = {**env, "QEMU_CPU": self.core.name}
        with engine_errors(self.docker):
            return self._started(module, mounts, env, user)

    def _started(self, module: str, mounts: dict[str, tuple[str, str]], env: dict[str, str], user: tuple[int, int]) -> Worker:
        memory = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE)
        container = self.docker.client.containers.create(
            self.image.id, [*FIRST, "timeout", "-k", "1", str(SESSION_S), "python3", "-m", "exporter.worker", module],
            platform=self.platform.docker, environment=env, user=f"{user[0]}:{user[1]}", stdin_open=True, read_only=True,
            network_mode="none", mem_limit=memory, memswap_limit=memory, pids_limit=PROCESSES, cap_drop=["ALL"],
            security_opt=["no-new-privileges"], tmpfs={"/tmp": "size=256m,mode=1777"}, labels={**self.docker.labels(), HOSTNAME: _here()},
            log_config={"type": "none"}, ulimits=[{"Name": "core", "Soft": 0, "Hard": 0}],
            volumes=[f"{source}:{bind}:{mode}" for source, (bind, mode) in mounts.items()],
        )  # fmt: skip
        try:
            attached = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            container.start()
        except BaseException:
            remove(self.docker, container)
            raise
        return ContainerWorker(self.docker, container, Stream(attached))

    @property
    def half(self) -> bool:
        """Whether it computes in half precision."""
        return self.core.half if self.core is not None else "asimdhp" in Path("/proc/cpuinfo").read_text().split()

    def facts(self) -> dict[str, Any]:
        """What ran, for JSON and the manifest."""
        return {
            "platform": self.platform.docker, "cpu": self.core and self.core.name, "emulator": self.core and emulator(self.platform),
            "image": self.image.reference, "base": self.image.base, "docker": self.docker.version,
        }  # fmt: skip


def emulated(docker: Docker, platform: Platform) -> bool:
    """Whether a platform's programs are emulated: not on ARM itself, 32-bit ones not where the processor still knows them."""
    if platform.abi.runs_on(docker.machine):
        return False
    return docker.machine != "aarch64" or entry(platform) is not None


def launchers(name: str, cores: Sequence[str], say: Say) -> list[ContainerLauncher]:
    """A launcher for each core; the image is built if it is missing.

    Args:
        name: Of the platform: "arm64" or "armv7".
        cores: Names of cores; none for the platform's usual ones.
        say: Told what begins, while an image is built.

    Raises:
        MexportError: If there is no engine, no emulator, or no such core.
    """
    platform = find_platform(name)
    wanted = [platform.core(core) for core in cores]
    docker = require_engine()
    if not docker.address.startswith(("unix://", "http+unix://")):
        raise DeviceError(f"Docker at {docker.address} is another computer's: it does not see our files", hint="use an engine of this one")
    if not emulated(docker, platform):
        if wanted:
            raise DeviceError(f"--cpu: nothing is emulated here, {docker.machine} runs {platform.docker} itself", hint="leave --cpu out")
        return [ContainerLauncher(docker, platform, require_image(docker, platform, say), None, 1.0)]
    image = require_image(docker, platform, say)
    chosen = wanted or [platform.cores[core] for core in platform.usual]
    return [ContainerLauncher(docker, platform, image, core, PATIENCE) for core in chosen]


def remove(docker: Docker, container: Any) -> None:
    """Remove a container, whatever it does, if it is still there."""
    try:
        container.remove(force=True)
    except docker.errors.APIError as problem:
        if problem.status_code not in (404, 409):  # gone, or going
            raise


def sweep(docker: Docker) -> int:
    """Remove the containers that dead processes of ours left; returns how many."""
    with engine_errors(docker):
        ours = docker.client.containers.list(all=True, filters={"label": [LABEL, f"{HOSTNAME}={_here()}"]}, ignore_removed=True)
    stale = [c for c in ours if not Path("/proc", c.labels.get(OWNER, "0")).exists()]
    for container in stale:
        remove(docker, container)
    return len(stale)


def _here() -> str:
    return socket.gethostname()


def _user() -> tuple[int, int]:
    """Who the container's processes are: ourselves, but never root."""
    return (NOBODY, NOBODY) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def _readable(files: Sequence[Path], folder: Path) -> Iterator[tuple[Path, Path]]:
    """Each file, and where a container's user can read it: itself, or a copy where only root may."""
    for path in files:
        real = path.resolve()
        if os.geteuid() != 0 or real.stat().st_mode & 0o004:
            yield path.absolute(), real
            continue
        kept = folder / f"{len(str(real))}-{real.name}"
        shutil.copyfile(real, kept)
        kept.chmod(0o644)
        yield path.absolute(), kept
