"""Prove a bundle again, or a bare file against the model it should equal; layer by layer if asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.building.deliver import Outcome
from exporter.building.options import QUANTIZED, PixelOptions
from exporter.bundle import Bundle, find_bundles
from exporter.console import Console
from exporter.devices.container import ContainerLauncher, launchers
from exporter.errors import EngineError, MexportError, ParityError, UsageError
from exporter.parity import Limits
from exporter.place import DOCKER, HOST, Place, require_kind
from exporter.proving.judge import as_dicts, findings, judged
from exporter.proving.layers import first_divergence
from exporter.proving.proof import breached
from exporter.proving.subject import bundled
from exporter.verification.arm import Asked, verify_on
from exporter.verification.bare import verify_bare
from exporter.verification.ranges import view, with_ranges
from exporter.verification.rebuild import layers_of, outputs_on


@dataclass(frozen=True, slots=True)
class Verified:
    """What verifying showed.

    Attributes:
        bundles: One entry a bundle: name, verdict, parity, fidelity, layers.
        error: Of the first that failed.
        view: With layers of rounded files: every layer beside itself in all bundles.
    """

    bundles: tuple[dict[str, Any], ...]
    error: MexportError | None = None
    view: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        facts = {"bundles": list(self.bundles), "ok": self.error is None}
        return {**facts, "view": list(self.view)} if self.view else facts


def verify(
    what: str | Path | Outcome,
    *,
    layers: bool = False,
    against: Path | None = None,
    source: Path | None = None,
    samples: str | None = None,
    pixels: PixelOptions | None = None,
    trust: bool = False,
    on: str = HOST,
    cpu: Sequence[str] = (),
    repair: bool = False,
    seed: int = 0,
    threads: int | None = None,
    console: Console | None = None,
) -> Verified:
    """Run files again and compare.

    Args:
        what: A bundle, a folder of bundles, an Outcome of `build`; with `against` a bare file too.
        layers: Compare every layer too; needs the source, or its graph in the store.
        against: A model to hold a bare file against.
        source: Where the source is now, when it has moved.
        samples: Data to verify with instead of the bundle's own samples; needs the source.
        pixels: Preprocessing for `against`.
        trust: Run code that the model or the data brings along.
        on: Where: "host", "docker:arm64" or "docker:armv7".
        cpu: Cores that are emulated, e.g. "cortex-a53"; none for one of each kind of arithmetic.
        repair: Write an ncnn file again whose layers leave half precision's range there, those layers in float32.
        seed: Of synthetic samples for `against`.
        threads: Of the engine; None for the bundle's own.
        console: Where progress goes.

    Raises:
        MexportError: If a bundle is damaged, its engine crashes, or the source is needed and not there. That a file differs is in
            the result.
    """
    place = require_kind(on, HOST, DOCKER, what="verify")
    path = what.path if isinstance(what, Outcome) else Path(what)
    if path is None:
        raise UsageError("that build has failed: there is nothing to verify", hint="look at its error")
    _require_kind(path, layers, against, place)
    if place.is_host and (cpu or repair):
        raise UsageError("--cpu and --repair are for emulated ARM", hint="add --on docker:arm64")
    if against is not None:
        bare = verify_bare(path, against, samples=samples, pixels=pixels or PixelOptions(), trust=trust, seed=seed, threads=threads)
        return _verified([bare], "build it from the model with `mexport build`: its bundle tells the layers")
    if not place.is_host:
        asked, voice = Asked(source, trust, samples, repair, threads), console or Console(quiet=True)
        mend = "build it with another --precision" if repair else "--repair mends an ncnn file; else build it with another --precision"
        return _verified(_on_arm(find_bundles(path), launchers(place.name, cpu, voice.say), asked, voice), mend)
    found = [_bundle(b, layers, source, samples, trust=trust, threads=threads) for b in find_bundles(path)]
    return _verified(found, "build it again" if layers else "build it again, or see --layers")


def _require_kind(path: Path, layers: bool, against: Path | None, place: Place) -> None:
    """Bare files beside a model, bundles without one."""
    if not place.is_host and (layers or against is not None):
        raise UsageError(f"--on {place} is for bundles as they are, and names the layers itself", hint="leave --layers and --against out")
    if against is not None and layers:
        raise UsageError("--layers is for bundles: a bare file does not say which layer is which", hint="leave --layers out")
    if against is None and path.is_file():
        raise UsageError(f"{path} is no bundle", hint="give --against MODEL to hold a bare file against a model")


def _on_arm(bundles: Sequence[Bundle], cores: Sequence[ContainerLauncher], asked: Asked, console: Console) -> list[dict[str, Any]]:
    """Every bundle on every core."""
    found = []
    for bundle in bundles:
        kept = bundle.reference() if asked.samples is None else outputs_on(bundle, asked.source, asked.samples, asked.trust)
        named = ", ".join(c.core.name if c.core else c.docker.machine for c in cores)
        with console.stage(f"running {bundle.path.name} on {named}"):
            found += verify_on(bundle, kept, cores, asked)
    return found


def _bundle(
    bundle: Bundle, layers: bool, source: Path | None, samples: str | None, *, trust: bool, threads: int | None
) -> dict[str, Any]:  # fmt: skip
    subject = bundled(bundle, threads)
    limits = Limits(**bundle.manifest["limits"])
    kept = bundle.reference() if samples is None else outputs_on(bundle, source, samples, trust)
    with subject.open() as engine:
        got = subject.run(engine, kept.inputs)
    rounds = bundle.manifest["precision"] in QUANTIZED
    ends = {p["source_name"]: None if rounds else p.get("ends_in") for p in bundle.manifest["outputs"]}
    parity, fidelity = (findings(ends, reference, got) for reference in (kept.graph, kept.reference))
    facts: dict[str, Any] = {"name": subject.name, "parity": as_dicts(parity), "fidelity": as_dicts(fidelity)}
    if layers:
        found = layers_of(bundle, source, kept.inputs, trust, subject)
        facts["layers"] = with_ranges([layer.as_dict() for layer in found], bundle.manifest)
        first = first_divergence(found, limits)
        # between integers inner ties are usual: a layer differs only where the outputs do
        differs = first and (first.wrong(limits) or limits.breach(first.comparison)) and (not rounds or breached(parity, limits))
        facts["first_divergence"] = first.layer if first and differs else None
    against = {"the graph it was written from": parity}
    lost = rounds or bundle.manifest.get("compression") is not None
    return judged(facts, against if lost else {**against, "the source's own outputs": fidelity}, limits)


def _verified(bundles: list[dict[str, Any]], mend: str) -> Verified:
    bad = next((b for b in bundles if not b["ok"]), None)
    error = None
    if bad is not None:
        kind = EngineError if bad.get("crashed") else ParityError
        error = kind(bad["verdict"], hint=mend)
    return Verified(tuple(bundles), error, tuple(view(bundles)))
