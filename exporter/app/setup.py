"""`mexport app setup`: the programs from Debian's or Ubuntu's packages, the jars through Maven, onnxruntime's libraries."""

import os
import shutil
from dataclasses import dataclass

from exporter.app.jars import fetch_jars, onnxruntime_libraries
from exporter.app.tools import Tools, absent, find_tools
from exporter.console import Console
from exporter.errors import ToolError, UsageError
from exporter.shell import run

INSTALL_LIMIT_S = 1800.0
ABI = "arm64-v8a"


@dataclass(frozen=True, slots=True)
class Setup:
    """What there was to do.

    Attributes:
        packages: Packages that were installed.
        jars: Jars that are there now.
        origin: Whose tools are used.
    """

    packages: tuple[str, ...]
    jars: int
    origin: str


def set_up(*, agreed: bool, console: Console) -> Setup:
    """Install what is missing and fetch the jars.

    Args:
        agreed: Whether packages may be installed.
        console: Where progress goes.

    Raises:
        UsageError: If something is to be installed and nobody agreed; names it.
        ToolError: If this is no Debian or Ubuntu, or it fails.
    """
    packages = tuple(sorted(set(absent().values())))
    if packages:
        _install(packages, agreed=agreed, console=console)
    tools = find_tools()
    profiles = () if tools.framework else ("framework",)
    jars = fetch_jars(tools, (*profiles, f"tflite-{ABI}"), console=console)
    more = _fetch_onnxruntime(tools, agreed=agreed, console=console)
    return Setup((*packages, *more), len(jars), tools.origin)


def _fetch_onnxruntime(tools: Tools, *, agreed: bool, console: Console) -> tuple[str, ...]:
    """From Maven, else by npm, which is installed only then; returns what was."""
    try:
        onnxruntime_libraries(tools, ABI, console=console)
    except ToolError:
        if shutil.which("npm"):
            raise
        _install(("npm",), agreed=agreed, console=console)
        onnxruntime_libraries(tools, ABI, console=console)
        return ("npm",)
    return ()


def _install(packages: tuple[str, ...], *, agreed: bool, console: Console) -> None:
    if shutil.which("apt-get") is None:
        hint = "install an Android SDK with its build tools and a JDK 17, and set ANDROID_HOME"
        raise ToolError(f"no apt-get here to install {', '.join(packages)}", hint=hint)
    if not agreed:
        raise UsageError(f"to be installed: {' '.join(packages)}", hint="agree with --yes")
    if os.geteuid() != 0:
        raise ToolError(f"packages are installed by root only: {' '.join(packages)}", hint=f"sudo apt-get install {' '.join(packages)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with console.stage(f"installing {' '.join(packages)}"):
        run(["apt-get", "update", "-qq"], timeout_s=INSTALL_LIMIT_S, env=quiet, error=ToolError)
        words = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        run(words, timeout_s=INSTALL_LIMIT_S, env=quiet, error=ToolError, hint="look whether the package mirror can be reached")
