"""A compressed model as files that anyone goes on with: Keras, ONNX, and the record of how it was made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter import disk
from exporter.building.common import Common
from exporter.building.compressed import CURVES, Compressed, draw_curves
from exporter.building.record import compression, source_facts
from exporter.building.versions import tool_versions
from exporter.errors import UnsupportedOpError, UsageError
from exporter.formats import WriteOptions, load_writer
from exporter.graph import Graph
from exporter.graph.evaluate import evaluate
from exporter.graph.ports import to_graph, to_source
from exporter.parity import Limits
from exporter.proving.proof import fidelity, require
from exporter.sources.open import LoadOptions, open_source

RECORD = "record.json"

SAME = Limits(max_rel=1e-4)
"""A file of the same float32 numbers in the same engine."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What `compress` has written.

    Attributes:
        folder: Where.
        files: By kind: "onnx", "keras" where Keras can say the model, "record", "curves" where something was trained.
        record: What `record.json` holds.
        up_to_date: It was there already and nothing had to be done.
    """

    folder: Path
    files: Mapping[str, Path]
    record: Mapping[str, Any]
    up_to_date: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        files = {kind: str(path) for kind, path in self.files.items()}
        return {"folder": str(self.folder), "files": files, "up_to_date": self.up_to_date, "record": dict(self.record)}


def present(folder: Path, key: str) -> ModelFiles | None:
    """The files of an earlier run of the same thing, all of them there; None where they are not.

    Raises:
        UsageError: If the folder holds another compression.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        files = {kind: folder / name for kind, name in record["files"].items()}
        same = record["compression"]["key"] == key
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not same:
        raise UsageError(f"{folder} holds another compressed model", hint="give another folder with -o, or --force to replace it")
    return ModelFiles(folder, files, record, True) if all(f.exists() for f in files.values()) else None


def check_place(common: Common) -> None:
    """Before any work: files that `compress` did not write stay, and the model that is read always does.

    Raises:
        UsageError: If one stands where a file is to be written.
    """
    folder, source = common.options.output, common.source.info.path
    wanted = [folder / f"{common.source.name}.onnx", folder / f"{common.source.name}.keras", folder / CURVES]
    there = [path for path in wanted if path.exists()]
    for path in there:
        if path.samefile(source):
            raise UsageError(f"{path} is the model that is read", hint="give another folder with -o")
    if there and not common.options.force and not (folder / RECORD).exists():
        raise UsageError(f"{there[0]} is there already", hint="give another folder with -o, or --force to replace it")


def write(common: Common, made: Compressed) -> ModelFiles:
    """Write the files; each appears whole, the record last.

    Raises:
        ParityError: If a file does not say what the Graph says.
        DiskError: If the folder cannot be written.
    """
    folder, name = common.options.output, common.source.name
    with disk.draft(folder) as draft:
        files = {"onnx": _onnx(common, made.graph, draft).rename(draft / f"{name}.onnx").name}
        notes = list(common.notes)
        try:
            files["keras"] = _keras(common, made.graph, draft / f"{name}.keras").name
        except UnsupportedOpError as problem:
            notes.append(f"no .keras file: {problem.message}; {problem.hint}")
            common.console.warn(notes[-1])
        if draw_curves(made, draft):
            files["curves"] = CURVES
        record = _record(common, made, {**files, "record": RECORD}, notes)
        (draft / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        disk.sync_tree(draft)
        (folder / RECORD).unlink(missing_ok=True)
        for kept in [*files.values(), RECORD]:
            (draft / kept).replace(folder / kept)
    return ModelFiles(folder, {kind: folder / kept for kind, kept in record["files"].items()}, record)


def _onnx(common: Common, graph: Graph, folder: Path) -> Path:
    """Batch norms live, the batch axis open, the source's layout; run as anyone runs it, and compared."""
    with common.console.stage("writing .onnx, and running it"):
        path = load_writer("onnx").write(graph, folder, WriteOptions()).path
        wanted = to_source(graph.outputs, evaluate(graph, to_graph(graph.inputs, common.samples)))
        with open_source(path, LoadOptions()) as written:
            found = fidelity(graph, wanted, written.reference(common.samples))
        require(found, common.fair(SAME, found), what=f"{common.source.name}.onnx", against="the graph it was written from")
    return path


def _keras(common: Common, graph: Graph, path: Path) -> Path:
    from exporter.train.start import start_tensorflow

    start_tensorflow()
    from exporter.train.to_keras.export import save

    with common.console.stage("writing .keras, and reading it again"):
        save(graph, path, common.samples)
    return path


def _record(common: Common, made: Compressed, files: dict[str, str], notes: list[str]) -> dict[str, Any]:
    return {
        "schema": 1, "name": common.source.name, "source": source_facts(common, common.options.output),
        "recipe": common.recipe.as_dict()["passes"], "steps": [*common.steps[:1], *made.steps], "compression": compression(made),
        "preprocessing": {name: prep.as_dict() for name, prep in common.preprocessing.items()},
        "files": files, "notes": notes, "tools": tool_versions(), "command": common.options.command, "seed": common.options.seed,
    }  # fmt: skip
