"""The image that runners are made from: Debian's own by tag, or the same root folder made from Debian's packages.

The second needs no registry, no emulation and no root: packages are unpacked, not configured (`mmdebstrap --variant=extract`).
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from exporter import shell
from exporter.devices.engine import Docker, engine_errors
from exporter.devices.platforms import BASE, DEBIAN, Platform
from exporter.disk import Scratch
from exporter.errors import ToolError
from exporter.fingerprint import fingerprint

HOOKS = Path("/usr/share/mmdebstrap/hooks/maybe-merged-usr")
PYTHON = ("python3", "libgomp1", "libstdc++6")
"""What the engines need of Debian."""

BARE = ("base-files", "coreutils", "dash", "libc-bin")
"""What a root folder needs that Debian's base images have."""

MAKE_S = 900.0


@dataclass(frozen=True, slots=True)
class Base:
    """An image to build from.

    Attributes:
        reference: Its name in the engine.
        origin: What it is: a digest of the registry's, or "mmdebstrap bookworm".
    """

    reference: str
    origin: str


def base_image(docker: Docker, platform: Platform, *, registry: bool = True) -> Base:
    """The image to build a platform's runner from; pulled or made if the engine lacks it.

    Args:
        docker: The engine.
        platform: Whose.
        registry: Whether one may be asked.

    Raises:
        ToolError: If no registry can be reached and mmdebstrap is not installed.
    """
    return (_pulled(docker, platform) if registry else None) or _made(docker, platform)


def packages(platform: Platform) -> tuple[str, ...]:
    """What a runner has of Debian, beside its base."""
    return (*PYTHON, *platform.packages)


def _pulled(docker: Docker, platform: Platform) -> Base | None:
    """Debian's own image; None where no registry has it for that platform."""
    import requests

    name, _, tag = BASE.rpartition(":")
    try:
        image = docker.client.images.pull(name, tag=tag, platform=platform.docker)
    except (docker.errors.DockerException, requests.exceptions.RequestException):
        return None
    if image.attrs["Architecture"] != platform.docker.split("/")[1]:  # an engine may take what a mirror has of one processor only
        return None
    digest = next(iter(image.attrs.get("RepoDigests") or ()), image.id)
    reference = f"mexport/base:{tag}-{platform.name}"
    image.tag(reference)
    return Base(reference, digest)


def _made(docker: Docker, platform: Platform) -> Base:
    wanted = sorted((*BARE, *packages(platform)))
    reference = f"mexport/base:made-{fingerprint(packages=wanted, suite=DEBIAN)[:12]}-{platform.name}"
    made = Base(reference, f"mmdebstrap {DEBIAN}")
    if docker.has(reference):
        return made
    program = shutil.which("mmdebstrap")
    if program is None:
        raise ToolError(
            f"no registry gives {BASE}, and mmdebstrap is not installed to make it", hint="apt-get install mmdebstrap arch-test"
        )
    hooks = [f"--hook-dir={HOOKS}"] if HOOKS.is_dir() else []
    with Scratch() as folder:
        root = Path(folder, "root.tar")
        shell.run(
            [program, "--quiet", "--variant=extract", f"--architectures={platform.debian}", *hooks, f"--include={','.join(wanted)}",
             DEBIAN, root, *_mirror()],
            timeout_s=MAKE_S, error=ToolError, hint="look whether Debian's mirror can be reached",
        )  # fmt: skip
        with engine_errors(docker):
            docker.load(root, reference, platform.docker)
    return made


def _mirror() -> list[str]:
    """Where this computer's apt gets Debian from, in mmdebstrap's words; nothing where it does not: mmdebstrap has its own."""
    if shutil.which("apt-get") is None:
        return []
    form = "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)"
    ran = shell.run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"], timeout_s=60, check=False, error=ToolError)
    rows = [line.split() for line in ran.stdout.splitlines()]
    found = [r[3] for r in rows if len(r) == 4 and r[0] == "Debian" and r[1] == "main" and "-" not in r[2]]
    return [f"deb {found[0]} {DEBIAN} main"] if found else []
