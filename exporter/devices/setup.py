"""What emulated ARM needs of this computer, and the steps that bring it: packages, a running engine, the kernel's entry, an image.

Debian and Ubuntu, as root; sources of packages are never touched.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from exporter import shell
from exporter.devices.binfmt import recipe, register
from exporter.devices.container import emulated
from exporter.devices.engine import Docker, find_engine, start_engine
from exporter.devices.images import Image, Say, build_image, find_image
from exporter.devices.platforms import Platform
from exporter.devices.probe import runs
from exporter.errors import ToolError

ENGINE = ("docker.io", "iptables")
EMULATOR = ("qemu-user-static",)
BASE = ("mmdebstrap", "arch-test")
INSTALL_S = 1800.0
SYSTEMD = Path("/run/systemd/system")
SERVICE_S = 20.0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes:
        what: In words, e.g. "install docker.io".
        command: How a person would do it.
        do: Does it.
    """

    what: str
    command: str
    do: Callable[[], object]


def steps(platforms: Sequence[Platform], say: Say) -> Iterator[Step]:
    """What is still to be done; each step is looked for once those before it are done.

    Args:
        platforms: Which are wanted.
        say: Told what begins, while an image is built.
    """
    missing = [*_missing_engine(), *_missing_emulator(platforms), *_missing_base()]
    if missing:
        command = f"apt-get install --no-install-recommends {' '.join(missing)}"
        yield Step(f"install {', '.join(missing)}", command, partial(install, missing))
    if find_engine() is None:
        yield Step("start the Docker engine", "systemctl start docker" if SYSTEMD.is_dir() else "dockerd", start)
    docker = find_engine()
    for platform in platforms:
        if docker is None or (emulated(docker, platform) and not runs(docker, platform)):
            words = f"tell the kernel that {platform.qemu} runs {platform.docker} programs"
            yield Step(
                words, f"cat /usr/lib/binfmt.d/{platform.qemu}.conf > /proc/sys/fs/binfmt_misc/register", partial(register, platform)
            )
    for platform in platforms:
        if docker is None or find_image(docker, platform) is None:
            command = f"mexport runner build --platform {platform.name}"
            yield Step(f"build the image for {platform.docker}", command, partial(_build, platform, say))


def require_debian() -> None:
    """Refuse a computer that cannot be set up.

    Raises:
        ToolError: If it is no Debian or Ubuntu, or we are not root.
    """
    if shutil.which("apt-get") is None:
        raise ToolError("this is no Debian or Ubuntu: there is no apt-get", hint="install Docker and qemu's binfmt support yourself")
    if os.geteuid() != 0:
        raise ToolError("installing takes root", hint="sudo mexport runner setup --yes")


def install(packages: Sequence[str]) -> None:
    """By apt, from the sources that it has.

    Raises:
        ToolError: With apt's last words.
    """
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    shell.run(["apt-get", "update", "-qq"], timeout_s=INSTALL_S, env=quiet, check=False, error=ToolError)
    words = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    shell.run(words, timeout_s=INSTALL_S, env=quiet, error=ToolError, hint="look whether apt's sources can be reached")


def start() -> Docker:
    """Start the engine: the system's service where there is one, else one of ours."""
    if SYSTEMD.is_dir():
        shell.run(["systemctl", "start", "docker"], timeout_s=120, check=False, error=ToolError)
        ends = time.monotonic() + SERVICE_S
        while time.monotonic() < ends:
            if (found := find_engine()) is not None:
                return found
            time.sleep(0.5)
    return start_engine()


def _build(platform: Platform, say: Say) -> Image:
    return build_image(find_engine() or start(), platform, say)


def _missing_engine() -> Sequence[str]:
    there = find_engine() is not None or shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/local/sbin")
    return () if there else ENGINE


def _missing_emulator(platforms: Sequence[Platform]) -> Sequence[str]:
    docker = find_engine()
    needed = [p for p in platforms if not p.abi.runs_on(os.uname().machine) and recipe(p) is None]
    lacking = [p for p in needed if docker is None or not runs(docker, p)]
    return EMULATOR if lacking else ()


def _missing_base() -> Sequence[str]:
    return () if shutil.which("mmdebstrap") else BASE
