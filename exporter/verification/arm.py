"""Verify bundles on ARM; repair what half precision cannot hold there, and show that it is."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.array import Array
from exporter.bundle import MANIFEST, Bundle, Reference, artifact_facts, read_bundle, write_bundle
from exporter.child import Child
from exporter.devices.container import ContainerLauncher
from exporter.disk import Scratch
from exporter.errors import ParityError, UsageError
from exporter.formats import WriteOptions, load_writer
from exporter.parity import Limits
from exporter.proving.arm import EXACT, Facts, on_arm
from exporter.proving.begins import Inside
from exporter.proving.judge import as_dicts, findings, judged
from exporter.proving.layers import inside
from exporter.proving.subject import bundled
from exporter.report import documents
from exporter.verification.rebuild import Written, file_again

ROUNDS = 6
"""Layers that were right may be wrong once those before them are: each round repairs what is left."""

TEXTS = (MANIFEST, "report.md", "USE.md")
"""Files of a bundle that are written from its manifest."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a verification on ARM.

    Attributes:
        source: Where the source is now, when it has moved.
        trust: Run code that the source brings along.
        samples: Data to verify with instead of the bundle's own samples.
        repair: Whether the file may be written again.
        threads: Of the engine; None for the bundle's own.
    """

    source: Path | None = None
    trust: bool = False
    samples: str | None = None
    repair: bool = False
    threads: int | None = None


def arm_record(entries: Sequence[Facts]) -> list[Facts]:
    """Entries as a manifest keeps them."""
    return [{k: v for k, v in entry.items() if k != "name"} for entry in entries]


def verify_on(bundle: Bundle, kept: Reference, launchers: Sequence[ContainerLauncher], asked: Asked) -> list[Facts]:
    """A bundle on each core; with `repair` its layers that leave half precision's range are made float32 where they are the fault.

    Args:
        bundle: The bundle; rewritten when a repair succeeds.
        kept: What it is verified with.
        launchers: A core each.
        asked: How.

    Raises:
        UsageError: If a repair is asked for and cannot be: another format, or the source is not there.
    """

    def look(engine: Child, inputs: Mapping[str, Array]) -> Inside | None:
        try:
            with file_again(bundle, asked.source, asked.trust) as made:
                return inside(made.graph, made.artifact, engine, inputs, written=made.written)
        except UsageError:  # the source has moved: the verdict stands without names
            if asked.repair:
                raise
            return None

    entries = on_arm(bundle, kept, launchers, look=look, threads=asked.threads)
    if not asked.repair or all(entry["ok"] for entry in entries):
        return entries
    if bundle.manifest["target"]["format"] != "ncnn" or bundle.manifest["precision"] not in (*EXACT, "mixed", "int8"):
        raise UsageError(f"--repair: {bundle.path.name} is no ncnn file, whose layers have masks", hint="build it with --precision fp32")
    return repaired(bundle, kept, launchers, asked, entries)


def repaired(
    bundle: Bundle, kept: Reference, launchers: Sequence[ContainerLauncher], asked: Asked, entries: list[Facts]
) -> list[Facts]:  # fmt: skip
    """Write the file again, round by round, until it holds on every core; the bundle is replaced then, else left alone."""
    before = entries
    options = WriteOptions(**{**bundle.manifest["write"], "float32": tuple(bundle.manifest["write"].get("float32", ()))})
    with file_again(bundle, asked.source, asked.trust) as made:
        for _ in range(ROUNDS):
            found = {b["value"] for entry in entries for b in entry.get("begins", ())} - set(options.float32)
            if not found:
                break
            options = replace(options, float32=(*options.float32, *sorted(found)))
            with Scratch() as scratch:
                draft = _draft(bundle, made, options, Path(scratch))

                def look(engine: Child, inputs: Mapping[str, Array], at: Written = draft.made) -> Inside:
                    return inside(at.graph, at.artifact, engine, inputs, written=at.written)

                entries = on_arm(draft.bundle, kept, launchers, look=look, threads=asked.threads)
                if all(entry["ok"] for entry in entries):
                    proof = {"float32": list(options.float32), "before": [e["verdict"] for e in before if not e["ok"]]}
                    entries = [{**entry, "name": bundle.path.name, "repaired": proof} for entry in entries]
                    _publish(bundle, draft, entries)
                    return entries
    tried = f"{len(options.float32)} values in float32 do not mend it"
    return [{**e, "verdict": f"{e['verdict']}; not repaired: {tried}"} if not e["ok"] else e for e in before]


@dataclass(frozen=True, slots=True)
class Draft:
    """A repaired file that is not in its place yet."""

    bundle: Bundle
    made: Written


def _draft(bundle: Bundle, made: Written, options: WriteOptions, folder: Path) -> Draft:
    """The file written again into a folder, and proved equal here."""
    facts = bundle.manifest
    artifact = load_writer(facts["target"]["format"]).write(made.written, folder, options)
    write = {**facts["write"], "float32": list(options.float32)}
    size = sum(f.stat().st_size for f in artifact.files)
    numbers = [{**n, "value": size} if n["name"] == "file_bytes" else n for n in facts["numbers"]]
    draft = Bundle(folder, {**facts, "artifact": artifact_facts(artifact), "write": write, "numbers": numbers})
    kept, subject = bundle.reference(), bundled(draft)
    with subject.open() as engine:
        got = subject.run(engine, kept.inputs)
    ends = {p["source_name"]: p.get("ends_in") for p in facts["outputs"]} if facts["precision"] in EXACT else {
        p["source_name"]: None for p in facts["outputs"]}  # fmt: skip
    parity, fidelity = (findings(ends, reference, got) for reference in (kept.graph, kept.reference))
    judgement = judged({"name": bundle.path.name}, {"the graph it was written from": parity}, Limits(**facts["limits"]))
    if not judgement["ok"]:
        raise ParityError(
            f"the repaired file is wrong on this computer: {judgement['verdict']}", hint="this is a defect of mexport; report it"
        )
    manifest = {**draft.manifest, "parity": as_dicts(parity), "fidelity": as_dicts(fidelity)}
    return Draft(Bundle(folder, manifest), replace(made, artifact=artifact))


def _publish(bundle: Bundle, draft: Draft, entries: Sequence[Facts]) -> None:
    note = f"repaired for ARM: float32 instead of half precision around {', '.join(draft.bundle.manifest['write']['float32'])}"
    notes = [n for n in bundle.manifest["notes"] if not n.startswith("repaired for ARM")]
    manifest = {**draft.bundle.manifest, "notes": [*notes, note], "arm": arm_record(entries)}
    written = {f.name for f in draft.made.artifact.files}

    def fill(folder: Path) -> dict[str, Any]:
        for facts in bundle.manifest["files"]:
            name = facts["path"]
            if name not in TEXTS:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile((draft.bundle.path if name in written else bundle.path) / name, folder / name)
        return manifest

    write_bundle(bundle.path, fill, identity=bundle.manifest["identity"], documents=documents)
    read_bundle(bundle.path)
