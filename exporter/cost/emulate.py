"""Run an ARM program under qemu's user emulation with the counting plugin, and read what it counted."""

import contextlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter import shell
from exporter.cost.instructions import Region, read_regions
from exporter.cost.plugin import Plugin, emulator, plugin
from exporter.devices.cores import Core
from exporter.devices.platforms import Platform
from exporter.disk import Scratch
from exporter.errors import EngineError, unknown_name
from exporter.store import Store

CACHES = {
    "cortex-a35": "32768:4:524288:16",
    "cortex-a53": "32768:4:524288:16",
    "cortex-a57": "32768:2:1048576:16",
    "cortex-a72": "32768:2:1048576:16",
    "cortex-a76": "65536:4:524288:8",
    "neoverse-n1": "65536:4:1048576:8",
}
"""Core to bytes and ways of its first-level data cache and of its second level (where makers choose, a usual size).

Source: Arm's Technical Reference Manuals of these cores, chapter "L1 memory system" and "L2 memory system".
"""

USUAL_CACHES = "32768:4:524288:16"


@dataclass(frozen=True, slots=True)
class Machine:
    """An emulated core that counts.

    Attributes:
        platform: What programs it runs.
        core: Which core qemu is.
        emulator: qemu's program.
        version: Of qemu.
        plugin: The plugin.
        caches: The plugin's `cache=` setting; None leaves caches out, which is quicker.
    """

    platform: Platform
    core: Core
    emulator: str
    version: str
    plugin: Plugin
    caches: str | None = None

    def run(
        self, program: Sequence[str | Path], *, root: Path | None = None, env: Mapping[str, str] | None = None, timeout_s: float, what: str
    ) -> tuple[list[Region], str]:
        """Run a program to its end, and give the regions that it marked and what it wrote to standard output.

        Args:
            program: Its path and its words.
            root: Where the program's libraries are; None for a static program.
            env: Its variables, beside the host's.
            timeout_s: Limit in seconds.
            what: For error messages.

        Raises:
            EngineError: If it fails, crashes, takes too long, or marks nothing.
        """
        with Scratch() as folder, view_of(self.core, root) as view:
            out = Path(folder, "counts.jsonl")
            loaded = f"{self.plugin.path},out={out}" + (f",cache={self.caches}" if self.caches else "")
            ran = shell.run(
                [self.emulator, "-cpu", self.core.name, "-L", view, "-plugin", loaded, *program],
                env=env, timeout_s=timeout_s, error=EngineError, check=False, hint="give it more time: --time-limit",
            )  # fmt: skip
            if ran.code != 0:
                raise self._failed(what, ran)
            regions = read_regions(out)
        if not regions:
            raise EngineError(f"{what}: nothing was counted", hint="this is a defect of mexport; report it")
        return regions, ran.stdout

    def _failed(self, what: str, ran: shell.Ran) -> EngineError:
        """The program's own sentence, where it has one."""
        lines = [line for line in ran.stderr.splitlines() if line.strip()]
        said = next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), None)
        how = f"killed by {signal.Signals(-ran.code).name}" if ran.code < 0 else f"exit code {ran.code}"
        tail = f"; it last wrote: {' | '.join(lines[-3:])}" if lines else ""
        hint = "check that the file runs here: `mexport verify`" if said else "try another core, as --cpu max; run again with -v"
        return EngineError(f"{what} on an emulated {self.core.name}: {said or how + tail}", hint=hint)


def machine(store: Store, platform: Platform, core: str, *, caches: bool = False) -> Machine:
    """A counting core.

    Args:
        store: Where the built plugin is kept.
        platform: What programs it runs.
        core: qemu's name of the core, e.g. "cortex-a53".
        caches: Whether misses of the core's caches are simulated too.

    Raises:
        ToolError: If qemu, its plugin support or a C compiler is missing.
        UsageError: If there is no such core, or the sizes of its caches are not known here.
    """
    found = platform.core(core)
    if caches and core not in CACHES:
        raise unknown_name("core with known caches", core, CACHES)
    path, version = emulator(platform)
    return Machine(platform, found, path, version, plugin(store), CACHES[core] if caches else None)


SYSTEM = ("bin", "etc", "lib", "lib32", "lib64", "sbin", "usr")
"""Folders of a root that a program needs. Not those below which the host has files that it reads, as /tmp: a link of that name leads
programs that resolve paths themselves into a circle."""

CPU = "sys/devices/system/cpu"


@contextlib.contextmanager
def view_of(core: Core, root: Path | None = None) -> Iterator[Path]:
    """A folder of links to a root's, with what Linux says of a computer with one such core: engines choose kernels and tiles by it.

    Args:
        core: Which.
        root: Where libraries lie; None for static programs.
    """
    with Scratch() as folder:
        view = Path(folder)
        for place in [root / name for name in SYSTEM] if root is not None else []:
            if place.exists():
                (view / place.name).symlink_to(place.resolve())
        for name, content in _told(core).items():
            (view / name).parent.mkdir(parents=True, exist_ok=True)
            (view / name).write_text(content)
        yield view


def _told(core: Core) -> dict[str, str]:
    """Files below / and what they say. The host's own are seen where there is none: so one more cache, of no level, ends the list."""
    l1, _, l2, _ = CACHES.get(core.name, USUAL_CACHES).split(":")
    found = {"proc/cpuinfo": core.cpuinfo(), **{f"{CPU}/{name}": "0\n" for name in ("possible", "present", "online")}}
    found[f"{CPU}/cpu0/regs/identification/midr_el1"] = f"0x{core.maker << 24 | 0xF << 16 | core.part << 4:016x}\n"
    for i, (level, kind, size) in enumerate(((1, "Data", l1), (1, "Instruction", l1), (2, "Unified", l2), (0, "None", "0"))):
        cache = {"level": level, "type": kind, "size": f"{int(size) // 1024}K", "shared_cpu_map": 1}
        found |= {f"{CPU}/cpu0/cache/index{i}/{name}": f"{value}\n" for name, value in cache.items()}
    return found
