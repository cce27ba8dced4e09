"""One target's part of a build: settings as they come out, the file written, run, compared and bundled."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.building.arm import prove_on_arm
from exporter.building.basis import Basis
from exporter.building.clock import Clock
from exporter.building.common import Common
from exporter.building.compressed import draw_curves
from exporter.building.describe import describe
from exporter.building.limits import check_size, count_right
from exporter.building.order import Order, identity
from exporter.building.prove import prove
from exporter.building.quantized import basis_of
from exporter.building.record import manifest
from exporter.bundle import Manifest, Reference, read_bundle, write_bundle
from exporter.disk import sync_tree
from exporter.errors import MexportError
from exporter.formats import Artifact, load_writer
from exporter.graph.ports import to_source
from exporter.report import documents

LABELS = "labels.txt"
"""Of a bundle: one class name a line, in the order of the outputs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target.

    Attributes:
        target: Its name.
        path: The bundle; None when it failed.
        up_to_date: The bundle was there already and nothing had to be done.
        artifact: The written model; None when it failed, without taps when it was up to date.
        parity: The manifest's: file against Graph, by output.
        fidelity: The manifest's: file against the source's own outputs.
        error: What went wrong.
    """

    target: str
    path: Path | None = None
    up_to_date: bool = False
    artifact: Artifact | None = None
    parity: dict[str, Any] | None = None
    fidelity: dict[str, Any] | None = None
    error: MexportError | None = None

    def summary(self) -> str:
        """One line: precision, size, and the worst figures of parity and fidelity."""
        if self.artifact is None:
            return self.error.message if self.error else ""
        size = sum(f.stat().st_size for f in self.artifact.files) / 2**20
        checks = [f"{kind} {_worst(found)}" for kind, found in (("parity", self.parity), ("fidelity", self.fidelity)) if found]
        return ", ".join([f"{self.artifact.precision}, {size:.2f} MiB", *checks])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        error = self.error and {"type": type(self.error).__name__, "message": self.error.message, "hint": self.error.hint,
                                "exit_code": self.error.code}  # fmt: skip
        files = [str(f) for f in self.artifact.files] if self.artifact else []
        return {
            "target": self.target, "path": self.path and str(self.path), "up_to_date": self.up_to_date, "files": files,
            "parity": self.parity, "fidelity": self.fidelity, "error": error,
        }  # fmt: skip


def _worst(found: dict[str, Any]) -> str:
    every = [c for f in found.values() for c in (f, f.get("before_activation")) if c]
    return f"rel {max(c['rel'] for c in every):.1e} ({min(c['sqnr_db'] for c in every):.0f} dB)"


def present(common: Common, order: Order) -> Outcome | None:
    """The outcome of a bundle that is there already and whole, or None."""
    if common.options.force or not (order.folder / "manifest.json").exists():
        return None
    try:
        bundle = read_bundle(order.folder)
    except MexportError:
        return None  # what is damaged is built again
    if bundle.manifest.get("build_key") != order.build_key:
        return None
    facts = bundle.manifest
    return Outcome(order.target.name, order.folder, True, bundle.artifact(), facts["parity"], facts["fidelity"])


def deliver(common: Common, order: Order) -> Outcome:
    """Make, prove and bundle one target's file.

    Raises:
        MexportError: What went wrong; nothing is left behind then.
    """
    clock = common.clock.fork()
    done: list[tuple[Artifact, Manifest]] = []

    def fill(folder: Path) -> Manifest:
        done.append(make(common, order, folder, clock))
        return done[0][1]

    write_bundle(order.folder, fill, identity=identity(common, order), documents=documents, force=common.options.force)
    return delivered(order, *done[0])


def delivered(order: Order, artifact: Artifact, facts: Manifest) -> Outcome:
    """The outcome of a bundle that is in its place."""
    final = replace(artifact, path=order.folder / artifact.path.name, files=tuple(order.folder / f.name for f in artifact.files))
    return Outcome(order.target.name, order.folder, False, final, facts["parity"], facts["fidelity"])


def make(common: Common, order: Order, folder: Path, clock: Clock) -> tuple[Artifact, Manifest]:
    """Fill a bundle's folder: the file, labels, what it was proved with; and all that is known about it."""
    basis = basis_of(common, order, clock)
    artifact = _write(common, order, basis, folder, clock)
    proof = prove(common, order, basis, artifact, clock)
    if common.class_names:
        (folder / LABELS).write_text("".join(f"{name}\n" for name in common.class_names), encoding="utf-8")
    if common.compressed is not None:
        draw_curves(common.compressed, folder)
    kept = Reference(common.samples, common.reference, to_source(common.graph.outputs, basis.values))
    kept.save(folder)
    with clock.stage("accuracy"):
        accuracy = count_right(common, order, artifact)
    facts = manifest(common, order, basis, artifact=artifact, proof=proof, numbers=[*clock.numbers(), *accuracy])
    arm = prove_on_arm(common, order, basis, artifact=artifact, folder=folder, facts=facts, kept=kept)
    return artifact, {**facts, "arm": arm} if arm else facts


def _write(common: Common, order: Order, basis: Basis, folder: Path, clock: Clock) -> Artifact:
    with clock.stage("write"), common.console.stage(f"writing {order.target.format}"):
        artifact = load_writer(order.target.format).write(basis.graph, folder, order.options)
        describe(artifact, basis.graph.inputs, common.preprocessing, common.class_names)
        sync_tree(folder)
    check_size(order, artifact)
    return artifact
