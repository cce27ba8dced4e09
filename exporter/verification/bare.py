"""A bare file from elsewhere against the model that it should equal."""

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from exporter.array import Array
from exporter.building.inputs import preprocessing_of
from exporter.building.options import PixelOptions
from exporter.building.stages import finished_graph, input_specs, raw_graph, reference
from exporter.data import InputSpec, open_data, synthetic
from exporter.errors import UsageError
from exporter.parity import Limits
from exporter.proving.judge import as_dicts, findings, judged
from exporter.proving.proof import endings
from exporter.proving.subject import End, Subject, bare
from exporter.sources.open import LoadOptions, open_source
from exporter.store import Store

LIMITS = Limits(max_rel=1e-4)
"""A file from elsewhere is held to what a float32 file must hold."""

SAMPLES = 8


def verify_bare(
    path: Path, against: Path, *, samples: str | None, pixels: PixelOptions, trust: bool, seed: int, threads: int | None
) -> dict[str, Any]:
    """Run a file on a model's samples; inputs and outputs are matched in order, axes by their lengths.

    Raises:
        UsageError: If the file's inputs or outputs cannot be the model's.
    """
    with Store() as store, open_source(against, LoadOptions(trust=trust)) as source:
        raw = raw_graph(source, LoadOptions(trust=trust), store)
        specs = input_specs(finished_graph(raw)[0])
        prep = preprocessing_of(raw, specs, pixels)
        inputs = open_data(samples, specs, prep, trust=trust).pick(2 * SAMPLES)[0] if samples else synthetic(specs, prep, SAMPLES, seed)
        wanted = reference(source, LoadOptions(trust=trust), inputs, store)
    shapes: dict[str | None, tuple[int, ...]] = {None: (1, *specs[0].shape)} if len(specs) == 1 and path.suffix == ".param" else {}
    subject = bare(path, threads or 1, shapes)
    got = _run(subject, specs, inputs)
    ends = {p.source_name: endings(raw)[p.name].op if p.name in endings(raw) else None for p in raw.outputs}
    named = _matched(subject, [p.source_name for p in raw.outputs], wanted, got)
    found = findings(ends, wanted, named)
    return judged({"name": path.name, "fidelity": as_dicts(found)}, {f"{against.name} in {source.info.framework}": found}, LIMITS)


def _run(subject: Subject, specs: Sequence[InputSpec], inputs: dict[str, Array]) -> dict[str, Array]:
    if len(subject.inputs) != len(specs):
        raise UsageError(f"{subject.name} has {len(subject.inputs)} inputs, the model {len(specs)}", hint="give the model it was made from")
    feeds = {e.tensor.graph_name: _as(inputs[s.name], e, s.name) for e, s in zip(subject.inputs, specs, strict=True)}
    with subject.open() as engine:
        return subject.run(engine, feeds)


def _as(x: Array, end: End, name: str) -> Array:
    """Samples with their axes in the order that a file's input has; the first order that fits, the same order before all others."""
    order = axes(x.shape[1:], end.shape[1:])
    if order is None:
        raise UsageError(f"input {name} is {x.shape[1:]} in the model and {end.shape[1:]} in the file", hint="give the right model")
    return x.transpose(0, *(a + 1 for a in order)).reshape(len(x), *end.shape[1:])


def axes(have: tuple[int, ...], want: tuple[int, ...]) -> tuple[int, ...] | None:
    """The permutation that brings one shape to another, None if there is none; equal but for ones is the identity.

    Of several that fit, channels first to channels last and back come before others.
    """
    same = tuple(range(len(have)))
    if [d for d in have if d != 1] == [d for d in want if d != 1]:
        return same
    likely = [(1, 2, 0), (2, 0, 1)] if len(have) == 3 else []
    every = [*likely, *permutations(same)]
    return next((p for p in every if tuple(have[a] for a in p) == want), None)


def _matched(subject: Subject, names: Sequence[str], wanted: dict[str, Array], got: dict[str, Array]) -> dict[str, Array]:
    """The file's outputs under the model's names: by name, else the first that is left whose axes fit."""
    left = {e.tensor.graph_name: got[e.tensor.graph_name] for e in subject.outputs}
    found = {}
    for name in names:
        shape = wanted[name].shape[1:]
        fitting = [own for own, y in left.items() if axes(y.shape[1:], shape) is not None]
        if not fitting:
            shapes = ", ".join(f"{own} {y.shape[1:]}" for own, y in left.items()) or "none"
            raise UsageError(f"no output of {subject.name} can be {name} {shape}; left: {shapes}", hint="give the model it was made from")
        y = left.pop(name if name in fitting else fitting[0])
        order = axes(y.shape[1:], shape) or ()
        found[name] = np.ascontiguousarray(y.transpose(0, *(a + 1 for a in order))).reshape(wanted[name].shape)
    return found
