"""Seconds and peak memory of a build, stage by stage."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from exporter.worker import peak_rss_bytes

VERIFY_STAGES = frozenset({"reference", "evaluate", "run", "check", "accuracy"})
"""Stages that prove rather than make: left out of the time "verify excluded"."""


class Clock:
    """Times named stages; a stage entered twice adds up.

    Args:
        started_s: Seconds that the process took to get here.
        parent: The clock of the common stages, for one target's own.

    Attributes:
        own: Wall time by stage, in the order of first entry.
        peak_bytes: Peak resident memory of this process up to the end of the last stage that makes rather than proves.
    """

    def __init__(self, started_s: float = 0.0, parent: "Clock | None" = None) -> None:
        self.own: dict[str, float] = {} if parent else {"start": started_s}
        self.parent = parent
        self.peak_bytes: int = parent.peak_bytes if parent else 0
        self.proved = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.own[name] = self.own.get(name, 0.0) + time.perf_counter() - start
            self.proved = self.proved or name in VERIFY_STAGES
            if not self.proved:
                self.peak_bytes = max(self.peak_bytes, peak_rss_bytes())

    def fork(self) -> "Clock":
        """A clock for one target: the common stages, and its own. What verifying an earlier target took is forgotten."""
        if self.proved:
            with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as reset:
                reset.write("5")  # the kernel's peak starts again from what is resident now
        return Clock(parent=self)

    def seconds(self) -> dict[str, float]:
        """Wall time by stage, common ones first."""
        return {**(self.parent.seconds() if self.parent else {}), **self.own}

    def numbers(self) -> list[dict[str, Any]]:
        """For the manifest: seconds by stage, seconds with verification excluded, peak memory."""
        seconds = self.seconds()
        made = sum(s for name, s in seconds.items() if name not in VERIFY_STAGES)
        stages = [_number(f"seconds_{name}", s, "s") for name, s in seconds.items()]
        return [*stages, _number("seconds_verify_excluded", made, "s"), _number("peak_rss_verify_excluded", self.peak_bytes, "bytes")]


def process_age_s() -> float:
    """Seconds since this process was started (Linux: field 22 of /proc/self/stat, in clock ticks since boot)."""
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        ticks = int(stat.read().rsplit(")", 1)[1].split()[19])
        return float(uptime.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def _number(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "kind": "native", "engine": "mexport", "on": "host", "n": 1, "statistic": "single"}
