"""The runner's image of a platform: found by the hash of all it is made from, or built."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.devices.base import base_image, packages
from exporter.devices.engine import LABEL, Docker, engine_errors
from exporter.devices.platforms import BASE, Platform
from exporter.devices.probe import runs
from exporter.devices.wheels import fetching
from exporter.disk import Scratch
from exporter.errors import DeviceError
from exporter.fingerprint import fingerprint
from exporter.resources import data_folder

RECIPE = "Dockerfile"
NAME = "mexport/runner"
ORIGIN = "mexport.base"

Say = Callable[[str], None]
"""Told what begins."""


@dataclass(frozen=True, slots=True)
class Image:
    """A runner's image.

    Attributes:
        reference: Its name and tag in the engine.
        id: Its sha256.
        base: What it was made from: a registry's digest, or "mmdebstrap bookworm".
        bytes: Its size.
        seconds: What building it took; None where it was there.
    """

    reference: str
    id: str
    base: str
    bytes: int
    seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"reference": self.reference, "id": self.id, "base": self.base, "bytes": self.bytes, "seconds": self.seconds}


def reference(platform: Platform) -> str:
    """The tag that a platform's image has when it is made from what we would make it from today."""
    recipe = (data_folder("docker") / RECIPE).read_text()
    key = fingerprint(recipe=recipe, wheels=platform.requirements(), packages=packages(platform), base=BASE, code=_code())
    return f"{NAME}:{key[:12]}-{platform.name}"


def _code() -> list[str]:
    """The files whose change makes another image of the same recipe."""
    here = Path(__file__).parent
    return [(here / name).read_text() for name in ("base.py", "wheels.py")]


def find_image(docker: Docker, platform: Platform) -> Image | None:
    """The image, if the engine has it."""
    name = reference(platform)
    if not docker.has(name):
        return None
    with engine_errors(docker):
        facts = docker.client.images.get(name)
    return Image(name, facts.id, facts.labels.get(ORIGIN, ""), int(facts.attrs["Size"]))


def build_image(docker: Docker, platform: Platform, say: Say, *, registry: bool = True) -> Image:
    """Build the image; what the engine has of it already is used again.

    Args:
        docker: The engine.
        platform: Whose.
        say: Told each step.
        registry: Whether Debian's own base image may be asked for.

    Raises:
        DeviceError: If the engine cannot run the platform's programs, or the build fails.
        ToolError: If something to build with is missing.
    """
    require_runs(docker, platform)
    started = time.monotonic()
    name = reference(platform)
    with Scratch() as scratch:
        context = Path(scratch)
        say(f"base image for {platform.docker}; engines: {', '.join(platform.requirements())}")
        with fetching(platform, context / "site") as unpack:
            base = base_image(docker, platform, registry=registry)
            unpack()
        shutil.copy(data_folder("docker") / RECIPE, context / RECIPE)
        say(f"building {name} from {base.origin}")
        arguments = {"BASE": base.reference, "PACKAGES": " ".join(packages(platform)), "LIBRARY_PATH": platform.library_path}
        with engine_errors(docker):
            lines = docker.client.api.build(
                path=str(context), tag=name, platform=platform.docker, buildargs=arguments, labels={LABEL: "1", ORIGIN: base.origin},
                rm=True, forcerm=True, decode=True,
            )  # fmt: skip
            _follow(lines, name)
    made = find_image(docker, platform)
    if made is None:
        raise DeviceError(f"the engine built {name} and does not have it", hint="mexport doctor")
    return Image(made.reference, made.id, made.base, made.bytes, time.monotonic() - started)


def require_image(docker: Docker, platform: Platform, say: Say) -> Image:
    """The image; built if the engine lacks it."""
    return find_image(docker, platform) or build_image(docker, platform, say)


def require_runs(docker: Docker, platform: Platform) -> None:
    """Refuse an engine that cannot run a platform's programs.

    Raises:
        DeviceError: Says so.
    """
    if not runs(docker, platform):
        raise DeviceError(
            f"Docker at {docker.address} runs no {platform.docker} programs: the kernel knows no emulator for them",
            hint="sudo mexport runner setup --yes",
        )


def _follow(lines: Iterator[dict[str, Any]], name: str) -> None:
    """Read a build to its end."""
    last: list[str] = []
    for line in lines:
        last = [*last, str(line.get("stream") or "").strip()][-4:]
        if "error" in line:
            words = " | ".join(filter(None, last))
            raise DeviceError(
                f"{name} cannot be built: {str(line['error']).strip()}; the build last wrote: {words}", hint="run again with -v"
            )
