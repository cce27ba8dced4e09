"""A bundle: the folder that holds a built model with its proof. Complete or absent; every file's sha256 is in its manifest."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporter import disk
from exporter.array import Array, save_arrays
from exporter.errors import IntegrityError, MexportError, UsageError
from exporter.formats.artifact import Artifact, Tensor
from exporter.schema import manifest_problem

MANIFEST = "manifest.json"
REFERENCE = "reference.npz"

Manifest = dict[str, Any]
Fill = Callable[[Path], Manifest]
Documents = Callable[[Mapping[str, Any]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Reference:
    """What a bundle was proved with; axis 0 of every array counts samples, names and layouts are the source's.

    Attributes:
        inputs: Preprocessed.
        reference: The source's own outputs.
        graph: Outputs of the Graph that the file was written from.
    """

    inputs: dict[str, Array]
    reference: dict[str, Array]
    graph: dict[str, Array]

    def save(self, folder: Path) -> None:
        """Write `reference.npz`: `in.NAME`, `ref.NAME`, `graph.NAME`."""
        groups = {"in": self.inputs, "ref": self.reference, "graph": self.graph}
        arrays = {f"{group}.{name}": x for group, named in groups.items() for name, x in named.items()}
        with (folder / REFERENCE).open("wb") as stream:
            save_arrays(stream, arrays)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on disk: its folder and its manifest, which has been found valid."""

    path: Path
    manifest: Manifest

    def artifact(self) -> Artifact:
        """The written model; its taps are not kept in a bundle."""
        facts = self.manifest["artifact"]
        files = tuple(self.path / name for name in facts["files"])
        inputs, outputs = (tuple(map(_tensor, facts[end])) for end in ("inputs", "outputs"))
        return Artifact(facts["format"], files[0], files, facts["precision"], inputs, outputs, {})

    def reference(self) -> Reference:
        """What it was proved with.

        Raises:
            IntegrityError: If it cannot be read.
        """
        groups: dict[str, dict[str, Array]] = {"in": {}, "ref": {}, "graph": {}}
        try:
            with np.load(self.path / REFERENCE, allow_pickle=False) as stored:
                for key in stored.files:
                    group, _, name = key.partition(".")
                    groups[group][name] = stored[key]
        except (OSError, ValueError, KeyError) as problem:
            raise _damaged(self.path / REFERENCE, str(problem)) from problem
        return Reference(groups["in"], groups["ref"], groups["graph"])

    def check(self) -> None:
        """Hold every file against its sha256.

        Raises:
            IntegrityError: Names the first file that is missing or another.
        """
        for facts in self.manifest["files"]:
            path = self.path / facts["path"]
            if not path.is_file():
                raise _damaged(path, "it is missing")
            if (got := sha256_file(path)) != facts["sha256"]:
                raise _damaged(path, f"its sha256 is {got[:12]}..., the manifest says {facts['sha256'][:12]}...")


def artifact_facts(artifact: Artifact) -> dict[str, Any]:
    """An Artifact for the manifest: files by name, taps left out."""
    inputs, outputs = ([asdict(t) for t in tensors] for tensors in (artifact.inputs, artifact.outputs))
    files = [f.name for f in artifact.files]
    return {"format": artifact.format, "files": files, "precision": artifact.precision, "inputs": inputs, "outputs": outputs}


def _tensor(facts: Mapping[str, Any]) -> Tensor:
    return Tensor(facts["name"], facts["graph_name"], tuple(facts["shape"]), tuple(facts["perm"]), facts["dtype"], facts.get("scale"),
                  facts.get("zero_point", 0))  # fmt: skip


def write_bundle(
    folder: Path,
    fill: Fill,
    *,
    identity: Mapping[str, Any],
    documents: Documents = lambda manifest: {},
    force: bool = False,
) -> Bundle:
    """Make a bundle: written aside, synced, renamed; a failure leaves what was there before.

    Args:
        folder: Where it goes, `OUT/MODEL--TARGET`.
        fill: Writes the files into the folder it is given; returns the manifest without `schema`, `identity` and `files`.
        identity: What makes this build another than the one that may be there, as JSON data by name: source sha256, precision, recipe, ...
        documents: From the finished manifest, texts by file name (report.md, USE.md); they are no part of the proof.
        force: Replace a bundle of another identity.

    Raises:
        UsageError: If the folder holds another build, or is no bundle of ours.
        DiskError: If the disk is full or cannot be written.
    """
    check_place(folder, identity, force=force)
    with disk.draft(folder.parent) as draft:
        manifest = _complete(fill(draft), draft, identity)
        for name, text in documents(manifest).items():
            (draft / name).write_text(text, encoding="utf-8")
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        while not disk.publish(draft, folder):
            check_place(folder, identity, force=force)
            if folder.exists():
                disk.replace(draft, folder)
                break
    return Bundle(folder, manifest)


def _complete(filled: Manifest, draft: Path, identity: Mapping[str, Any]) -> Manifest:
    manifest = json.loads(json.dumps({"schema": 1, **filled, "identity": identity, "files": list(_files(draft))}))
    problem = manifest_problem(manifest)
    if problem is not None:
        raise IntegrityError(f"the manifest about to be written is not valid: {problem}", hint="this is a defect of mexport; report it")
    return dict(manifest)


def _files(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(f for f in folder.rglob("*") if f.is_file()):
        yield {"path": path.relative_to(folder).as_posix(), "sha256": sha256_file(path), "bytes": path.stat().st_size}


def check_place(folder: Path, identity: Mapping[str, Any], *, force: bool = False) -> None:
    """Whether a bundle may go there; to be asked before any work.

    Raises:
        UsageError: Names what differs, or what stands there instead.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / MANIFEST).is_file():
        raise UsageError(f"{folder} exists and is no bundle", hint="remove it yourself, or give another folder with -o")
    if force:
        return
    try:
        there = read_bundle(folder, check=False).manifest["identity"]
    except MexportError as problem:
        raise UsageError(f"{folder} holds a bundle that cannot be read: {problem}", hint="--force replaces it") from problem
    wanted = json.loads(json.dumps(identity))
    differing = [name for name in sorted({*there, *wanted}) if there.get(name) != wanted.get(name)]
    if differing:
        words = ", ".join(f"{n}: {_short(there.get(n))} there, {_short(wanted.get(n))} here" for n in differing)
        raise UsageError(f"{folder} holds another build ({words})", hint="--force replaces it; -o or --name puts this one elsewhere")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 24 else f"{text[:12]}..."


def read_bundle(path: Path, *, check: bool = True) -> Bundle:
    """Open a bundle.

    Args:
        path: Its folder.
        check: Hold every file against its sha256.

    Raises:
        IntegrityError: If the manifest is missing or invalid, or a file is not the one it names.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise _damaged(path / MANIFEST, f"it cannot be read ({problem})") from None
    if isinstance(manifest, dict) and isinstance(manifest.get("schema"), int) and manifest["schema"] > 1:
        raise IntegrityError(f"{path / MANIFEST} has schema {manifest['schema']}, this version reads 1", hint="use a newer mexport")
    invalid = manifest_problem(manifest)
    if invalid is not None:
        raise _damaged(path / MANIFEST, invalid)
    bundle = Bundle(path, manifest)
    if check:
        bundle.check()
    return bundle


def find_bundles(path: Path, *, check: bool = True) -> list[Bundle]:
    """One bundle, or all bundles in a folder, sorted by name.

    Raises:
        UsageError: If there is none.
        IntegrityError: As `read_bundle`.
    """
    if (path / MANIFEST).is_file():
        return [read_bundle(path, check=check)]
    found = sorted(f.parent for f in path.glob(f"*/{MANIFEST}") if not f.parent.name.startswith("."))
    if not found:
        raise UsageError(f"{path} is no bundle and holds none", hint="make one with `mexport build`")
    return [read_bundle(folder, check=check) for folder in found]


def sha256_file(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _damaged(path: Path, why: str) -> IntegrityError:
    return IntegrityError(f"{path} is damaged: {why}", hint="build it again with --force, or copy the bundle again")
