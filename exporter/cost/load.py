"""What is counted, and what was found: plain data."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.array import Array
from exporter.cost.instructions import CLASSES, NONE, Counts
from exporter.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Load:
    """One inference of a file in its engine.

    Attributes:
        runtime: "ncnn", "litert" or "onnxruntime".
        path: The file; of ncnn the `.param`.
        arrays: By input, in the file's own shape and type.
        options: The manifest's `runtime_options`.
        zero_weights: For ncnn structure files without weights: every weight is 0.
    """

    runtime: str
    path: Path
    arrays: Mapping[str, Array] = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    zero_weights: bool = False

    def files(self) -> list[Path]:
        """Those that are read."""
        weights = [self.path.with_suffix(".bin")] if self.runtime == "ncnn" and not self.zero_weights else []
        return [self.path, *weights]

    def fingerprint(self) -> str:
        """sha256 of all that the counts depend on here."""
        digests = [hashlib.sha256(f.read_bytes()).hexdigest() for f in self.files()]
        arrays = {n: (list(a.shape), a.dtype.name, hashlib.sha256(a.tobytes()).hexdigest()) for n, a in self.arrays.items()}
        return fingerprint(runtime=self.runtime, files=digests, arrays=arrays, options=self.options, zero=self.zero_weights)


@dataclass(frozen=True, slots=True)
class LayerCount:
    """One layer, or several that run as one.

    Attributes:
        name: As the file has it.
        kind: As its format calls it.
        tensor_work: Convolution or matrix product; all else is non-tensor work.
        counts: Its instructions; a difference of two counts can be below 0.
    """

    name: str
    kind: str
    tensor_work: bool
    counts: Counts


@dataclass(frozen=True, slots=True)
class Counted:
    """Instructions of one inference on a core.

    Attributes:
        engine: Which.
        version: Of the engine.
        platform: "arm64" or "armv7".
        core: The emulated core.
        qemu: Version of the emulator.
        threads: Threads that the program had; counts are exact for 1.
        whole: The inference: the median of the regions.
        totals: Instructions of each region.
        spread: (most - least) / least of them.
        method: How layers were told apart: "marks" around each, "prefixes" (differences of files cut behind each), None: they were not.
        layers: In the order they run.
    """

    engine: str
    version: str
    platform: str
    core: str
    qemu: str
    threads: int
    whole: Counts
    totals: tuple[int, ...]
    spread: float
    method: str | None = None
    layers: tuple[LayerCount, ...] = ()

    @property
    def beside(self) -> Counts:
        """What is in no layer: the engine's own work around them. Nothing where layers were not told apart."""
        return self.whole - sum((layer.counts for layer in self.layers), NONE) if self.layers else NONE

    @property
    def tensor(self) -> Counts:
        """Convolutions and matrix products."""
        return sum((layer.counts for layer in self.layers if layer.tensor_work), NONE)

    @property
    def layers_over_whole(self) -> float | None:
        """Sum of the layers over the whole."""
        return sum(layer.counts.total for layer in self.layers) / max(self.whole.total, 1) if self.layers else None

    def shares(self) -> dict[str, float]:
        """Class to its share of all instructions."""
        return {name: getattr(self.whole, name) / max(self.whole.total, 1) for name in CLASSES}

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` reads it."""
        plain = {name: getattr(self, name) for name in PLAIN}
        layers = [{"name": x.name, "kind": x.kind, "tensor_work": x.tensor_work, "counts": x.counts.as_dict()} for x in self.layers]
        return {**plain, "totals": list(self.totals), "whole": self.whole.as_dict(), "layers": layers}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Counted":
        """The inverse of `as_dict`."""
        layers = tuple(LayerCount(x["name"], x["kind"], x["tensor_work"], Counts(**x["counts"])) for x in facts["layers"])
        plain = {name: facts[name] for name in PLAIN}
        return cls(**plain, whole=Counts(**facts["whole"]), totals=tuple(facts["totals"]), layers=layers)


PLAIN = ("engine", "version", "platform", "core", "qemu", "threads", "spread", "method")
