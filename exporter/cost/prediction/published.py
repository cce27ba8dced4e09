"""Published latencies of known devices: tables/benchncnn.json, facts from ncnn's own benchmark page."""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.errors import UsageError, unknown_name
from exporter.resources import data_folder

FOLDER = "tables"


@dataclass(frozen=True, slots=True)
class Device:
    """One device whose latencies are published, and whose core is emulated.

    Attributes:
        name: Ours, e.g. "snapdragon-855-plus".
        aliases: Other names of it: its chip's number, its board's.
        published_as: The name it is published under.
        core: Of its processor, e.g. "cortex-a76".
        ms: Net to milliseconds of one thread.
    """

    name: str
    aliases: tuple[str, ...]
    published_as: str
    core: str
    ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Published:
    """All that is published.

    Attributes:
        source: Where from, with licence.
        devices: By name.
        without_core: Devices that nothing is fitted for: our name to the published one.
    """

    source: Mapping[str, str]
    devices: Mapping[str, Device]
    without_core: Mapping[str, str]

    def device(self, name: str) -> Device:
        """The device that a name, however spelled, or an alias stands for.

        Raises:
            UsageError: For a device that nothing is fitted for, and for an unknown one, with a suggestion.
        """
        asked = slug(name)
        for device in self.devices.values():
            if asked in (device.name, *device.aliases):
                return device
        if asked in self.without_core:
            raise UsageError(
                f"{name}: nothing is fitted for this device's core (published as {self.without_core[asked]}), and none is guessed",
                hint=f"fitted: {', '.join(self.devices)}; on the device itself: `mexport bench OUT --on adb:SERIAL`",
            )
        raise unknown_name("device", name, [*self.names(), *self.without_core])

    def names(self) -> list[str]:
        """Every name and alias of a fitted device."""
        return sorted(n for d in self.devices.values() for n in (d.name, *d.aliases))


def slug(name: str) -> str:
    """A name in the tables' spelling: small letters, digits and hyphens; `+` is a word."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold().replace("+", " plus ")).strip("-")


@functools.cache
def published() -> Published:
    """The tables, read once."""
    return parse(json.loads((data_folder(FOLDER) / "benchncnn.json").read_text(encoding="utf-8")))


def parse(facts: Mapping[str, Any]) -> Published:
    """The tables as their file has them."""
    devices = (Device(d["name"], tuple(d["aliases"]), d["published_as"], d["core"], dict(d["ms"])) for d in facts["devices"])
    return Published(facts["source"], {d.name: d for d in devices}, facts["without_core"])
