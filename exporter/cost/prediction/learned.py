"""Times of one's own phones, kept beside the published ones: `$XDG_CONFIG_HOME/mexport/devices/NAME.json`, else below ~/.config.

They are a user's data, not a cache: nothing ever removes them but the user. Each row keeps what was counted, so that it serves without its
file.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exporter.cost.instructions import Counts
from exporter.cost.prediction.model import Learned, Part, cost
from exporter.disk import disk_errors
from exporter.errors import DataError

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class OwnTime:
    """One file, timed on a phone.

    Attributes:
        name: Of the bundle.
        sha256: Of the artifact's files.
        ms: The least of all runs, as the published times are.
        runs: How many there were.
        engine: Name and version.
        phone: As it calls itself.
        parts: What each layer of the file counts on the device's core, and what is beside them.
    """

    name: str
    sha256: str
    ms: float
    runs: int
    engine: str
    phone: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """A device with times of one's own; the newest of each file."""

    name: str
    core: str
    times: tuple[OwnTime, ...] = ()

    def learned(self) -> Learned:
        """As the model takes it."""
        keyed = {f"{t.name} {t.sha256[:12]}": t for t in self.times}
        return Learned(self.name, self.core, {k: cost(t.parts, self.core) for k, t in keyed.items()}, {k: t.ms for k, t in keyed.items()})

    def with_times(self, more: tuple[OwnTime, ...]) -> "OwnDevice":
        """With more, which take the place of earlier times of the same files."""
        new = {t.sha256 for t in more}
        return OwnDevice(self.name, self.core, (*(t for t in self.times if t.sha256 not in new), *more))


def default_folder() -> Path:
    """Where they are kept."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return Path(base or Path.home() / ".config") / "mexport/devices"


def own_devices(folder: Path | None = None) -> dict[str, OwnDevice]:
    """All that was learned, by name.

    Raises:
        DataError: If a file of it cannot be read.
    """
    return {d.name: d for d in map(_read, sorted((folder or default_folder()).glob("*.json")))}


def keep(device: OwnDevice, folder: Path | None = None) -> Path:
    """Write what was learned of a device; returns the file.

    Raises:
        DiskError: If it cannot be written.
    """
    place = (folder or default_folder()) / f"{device.name}.json"
    with disk_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(".part")
        part.write_text(json.dumps({"schema": SCHEMA, **asdict(device)}, indent=1) + "\n", encoding="utf-8")
        part.replace(place)
    return place


def _read(path: Path) -> OwnDevice:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["schema"] != SCHEMA:
            raise ValueError(f"schema {facts['schema']}, this version reads {SCHEMA}")
        return OwnDevice(facts["name"], facts["core"], tuple(map(_time, facts["times"])))
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise DataError(
            f"{path}: what was learned of this device cannot be read ({problem})", hint="remove the file, and learn again"
        ) from None


def _time(facts: Mapping[str, Any]) -> OwnTime:
    return OwnTime(**{**facts, "parts": tuple(Part(Counts(**p["counts"]), p["tensor_work"]) for p in facts["parts"])})
