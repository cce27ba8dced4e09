"""binfmt_misc: the kernel's table of who runs foreign programs. Read for `doctor`, written by `runner setup`."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from exporter import shell
from exporter.devices.platforms import Platform
from exporter.errors import ToolError

TABLE = Path("/proc/sys/fs/binfmt_misc")
ENTRIES = Path("/usr/lib/binfmt.d")
"""Where Debian's and Ubuntu's qemu say what they run; the line ends with flags, of which F opens the emulator at once, for containers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Who runs a platform's programs.

    Attributes:
        interpreter: The emulator's path on this computer.
        fixed: Whether the kernel holds it open (flag F), so that it works where that path does not exist: in containers.
        enabled: Whether it is in force.
    """

    interpreter: Path
    fixed: bool
    enabled: bool


def entry(platform: Platform) -> Entry | None:
    """The kernel's entry for a platform; None if there is none, or the table cannot be seen."""
    try:
        lines = (TABLE / platform.qemu).read_text().splitlines()
    except OSError:
        return None
    facts = dict(line.partition(" ")[::2] for line in lines)
    return Entry(Path(facts.get("interpreter", "")), "F" in facts.get("flags:", ""), lines[0] == "enabled")


def emulator(platform: Platform) -> str | None:
    """The emulator in words, e.g. "qemu-aarch64 7.2.22"; None where it cannot be told."""
    found = entry(platform)
    if found is None or not found.interpreter.exists():
        return None
    with contextlib.suppress(ToolError):
        said = shell.run([found.interpreter.resolve(), "--version"], timeout_s=10, check=False, error=ToolError).stdout.split()
        if "version" in said:
            return f"{platform.qemu} {said[said.index('version') + 1]}"
    return None


def recipe(platform: Platform) -> Path | None:
    """The file of the distribution's qemu that says how the kernel is told; None where it is not installed."""
    return next(iter(sorted(ENTRIES.glob(f"{platform.qemu}*.conf"), key=lambda f: len(f.name))), None)


def register(platform: Platform) -> None:
    """Let the kernel run a platform's programs by qemu.

    Raises:
        ToolError: If the emulator is not installed, or we may not.
    """
    source = recipe(platform)
    if source is None:
        raise ToolError(f"{ENTRIES} says nothing of {platform.qemu}: its package is missing", hint="apt-get install qemu-user-static")
    if not (TABLE / "register").exists():
        shell.run(["mount", "-t", "binfmt_misc", "binfmt_misc", TABLE], timeout_s=30, error=ToolError, hint="run it as root")
    head, _, flags = source.read_text().strip().rpartition(":")
    try:
        if (TABLE / platform.qemu).exists():
            (TABLE / platform.qemu).write_text("-1")
        (TABLE / "register").write_text(f"{head}:{flags if 'F' in flags else flags + 'F'}")
    except OSError as problem:
        raise ToolError(f"binfmt_misc cannot be written: {problem.strerror}", hint="run it as root") from problem
