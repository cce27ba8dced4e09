"""The state of a training on disk: the newest one, whole or not there, whatever kills the process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporter import disk
from exporter.array import Array, save_arrays
from exporter.errors import UsageError

_PLACE = "checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a training is.

    Attributes:
        facts: Plain data: epoch, step, seconds, history, the best score.
        arrays: By kind ("weights", "slots", "best"), then by name.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, Mapping[str, Array]]


class Keeper:
    """The checkpoint of one run in a folder of its own.

    Args:
        folder: The folder; None: nothing is kept.
        run: Fingerprint of everything that the run depends on.
    """

    def __init__(self, folder: Path | None, run: str) -> None:
        self.folder, self.run = folder, run

    def save(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint in the place of the one before, in one step.

        Raises:
            DiskError: If the disk is full or cannot be written.
        """
        if self.folder is None:
            return
        place = self.folder / _PLACE
        names = [(kind, name) for kind, group in checkpoint.arrays.items() for name in group]
        with disk.draft(self.folder) as draft:
            save_arrays(draft / "arrays.npz", {str(i): checkpoint.arrays[k][n] for i, (k, n) in enumerate(names)})
            facts = {"run": self.run, "names": names, "facts": dict(checkpoint.facts)}
            (draft / "facts.json").write_text(json.dumps(facts))
            if not disk.publish(draft, place):
                disk.replace(draft, place)

    def load(self) -> Checkpoint | None:
        """The newest checkpoint, None where there is none.

        Raises:
            UsageError: If it is another run's.
        """
        place = None if self.folder is None else self.folder / _PLACE
        if place is None or not place.is_dir():
            return None
        stored = json.loads((place / "facts.json").read_text())
        if stored["run"] != self.run:
            raise UsageError(f"{self.folder} holds the checkpoint of another training", hint="give each training a folder of its own")
        arrays: dict[str, dict[str, Array]] = {}
        with np.load(place / "arrays.npz", allow_pickle=False) as found:
            for i, (kind, name) in enumerate(stored["names"]):
                arrays.setdefault(kind, {})[name] = found[str(i)]
        return Checkpoint(stored["facts"], arrays)
