"""What a compression has come to so far, on disk: the Graph after each pass, whole or not there; a killed one goes on from it."""

import json
from pathlib import Path

from exporter import disk
from exporter.compression.given import Made
from exporter.graph.files import load_graph, save_graph

FACTS = "facts.json"


class Kept:
    """The passes done, in a folder of their own.

    Args:
        folder: Of one recipe on one model with one set of data; None: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def load(self, index: int) -> tuple[Made, float] | None:
        """What a pass made and the seconds it took; None where it is still to be done."""
        place = None if self.folder is None else self.folder / f"pass-{index}"
        if place is None or not place.is_dir():
            return None
        stored = json.loads((place / FACTS).read_text())
        return Made(load_graph(place), stored["facts"], stored["history"]), stored["seconds"]

    def save(self, index: int, made: Made, seconds: float) -> None:
        """Keep what a pass made.

        Raises:
            DiskError: If the disk is full or cannot be written.
        """
        if self.folder is None:
            return
        with disk.draft(self.folder) as draft:
            save_graph(made.graph, draft)
            stored = {"facts": dict(made.facts), "history": [dict(h) for h in made.history], "seconds": seconds}
            (draft / FACTS).write_text(json.dumps(stored))
            disk.publish(draft, self.folder / f"pass-{index}")

    def checkpoints(self, index: int) -> Path | None:
        """Where a pass may put checkpoints of its own."""
        return None if self.folder is None else self.folder / f"checkpoints-{index}"
