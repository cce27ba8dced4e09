"""Is this data fit to calibrate with? What is found is refused or warned of, each with its remedy.

refuse: fewer than 8 samples, NaN, constant or random pictures, values or channels that disagree with the preprocessing
warn: fewer than 100 samples, classes missing, copies, single constant pictures, grey pictures where colours are taken, alpha
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from exporter.data import Dataset, InputSpec
from exporter.errors import DataError
from exporter.preprocessing import Preprocessing
from exporter.quantization.finding import REFUSE, Finding, refuse, warn
from exporter.quantization.lint_labels import Scores, by_labels
from exporter.quantization.lint_look import InputLook, Look, look
from exporter.quantization.lint_order import in_order
from exporter.quantization.lint_range import in_range

FEWEST = 8
ENOUGH = 100
"""Samples without a warning."""

NOISE = 0.4
"""A median correlation of neighbouring pixels below it is noise: white noise has 0, halved in size 0.3; MNIST has 0.87, photos 0.97."""

MANY = 0.5
"""A share of bad samples that is refused."""


def lint(
    data: Dataset,
    specs: Sequence[InputSpec],
    preprocessing: Mapping[str, Preprocessing],
    *,
    takes_pixels: Collection[str] = (),
    classes: int | None = None,
    scores: Scores | None = None,
) -> list[Finding]:
    """Look at every sample once; refusals come first.

    Args:
        data: Calibration samples.
        specs: The model's inputs.
        preprocessing: By input name.
        takes_pixels: Inputs that the model itself scales (Rescaling, Normalization): they take 0..255.
        classes: Classes that the model tells apart, where known.
        scores: Runs the float model; where labels are known, wrong channel order and range show in its answers.

    Returns:
        What was found; nothing for fit data.
    """
    seen = look(data, specs, preprocessing)
    found = [*_amount(seen), *_coverage(data, classes), *_alpha(data)]
    for spec in specs:
        found += _input(spec, seen.inputs[spec.name], preprocessing.get(spec.name, Preprocessing()), spec.name in takes_pixels)
    if _nothing_moves(seen):
        found.append(refuse("constant", "every sample is constant", "give what the model will see in use"))
    if scores is not None and data.labels is not None and all(f.severity != REFUSE for f in found):
        found += by_labels(data, specs, scores)
    return sorted(found, key=lambda f: f.severity != REFUSE)


def require_fit(found: Sequence[Finding], *, accepted: bool = False) -> None:
    """Refuse unfit data, unless the user accepts it.

    Raises:
        DataError: Names the first refusal, its remedy, and how many more there are.
    """
    refused = [f for f in found if f.severity == REFUSE]
    if not refused or accepted:
        return
    more = f" (and {len(refused) - 1} more: {', '.join(f.kind for f in refused[1:])})" if len(refused) > 1 else ""
    raise DataError(f"calibration data: {refused[0].message}{more}", hint=f"{refused[0].remedy}; --accept-calibration overrides")


def _amount(seen: Look) -> Iterator[Finding]:
    n, distinct = seen.samples, len(seen.copies)
    if distinct < FEWEST:
        kinds = f"{n} samples, only {distinct} of them different" if distinct < n else f"{n} sample(s)"
        yield refuse("too few", f"{kinds}; at least {FEWEST} are needed", f"give {ENOUGH} or more, as different as in use")
    elif n < ENOUGH:
        yield warn("few", f"{n} samples; {ENOUGH} or more see rare values too", "give more")
    if seen.duplicates and distinct >= FEWEST:
        share = f"{100 * seen.duplicates / n:.0f} %"
        yield warn("duplicates", f"{seen.duplicates} of {n} samples ({share}) are exact copies of others", "remove the copies")


def _coverage(data: Dataset, classes: int | None) -> Iterator[Finding]:
    if data.labels is None:
        return
    known = max(classes or 0, len(data.class_names or ()))
    there = set(np.unique(data.labels).tolist())
    missing = [i for i in range(known) if i not in there]
    if not missing:
        return
    names = [data.class_names[i] if data.class_names and i < len(data.class_names) else str(i) for i in missing[:5]]
    shown = ", ".join(names) + (", ..." if len(missing) > 5 else "")
    yield warn("classes missing", f"{len(missing)} of {known} classes have no sample: {shown}", "give samples of every class")


def _alpha(data: Dataset) -> Iterator[Finding]:
    count = data.samples.transparent()
    if count:
        message = f"{count} of {len(data)} pictures have an alpha channel, which is dropped: what it hid is seen"
        yield warn("alpha", message, "put them on the background that the model will see")


def _input(spec: InputSpec, seen: InputLook, prep: Preprocessing, takes_pixels: bool) -> Iterator[Finding]:
    if seen.not_finite:
        first = ", ".join(map(str, seen.not_finite[:5]))
        yield refuse("not finite", f"input {spec.name} holds NaN or infinity in {len(seen.not_finite)} sample(s): {first}", "remove them")
    if not seen.lows:
        return
    yield from _pictures(spec, seen)
    yield from in_range(spec, seen, prep, takes_pixels)
    yield from in_order(spec, seen, prep)


def _pictures(spec: InputSpec, seen: InputLook) -> Iterator[Finding]:
    constant, n = int(seen.constant.sum()), len(seen.lows)
    if MANY * n < constant < n:
        yield refuse("constant", f"input {spec.name}: {constant} of {n} samples are constant", "give what the model will see in use")
    elif 0 < constant < n:
        yield warn("constant", f"input {spec.name}: {constant} of {n} samples are constant", "remove them")
    if seen.correlations and float(np.median(seen.correlations)) < NOISE:
        message = f"input {spec.name}: the pictures are noise: neighbouring pixels are unrelated ({np.median(seen.correlations):.2f} of 1)"
        yield refuse("random", message, "give real pictures: ranges of noise are not those in use")


def _nothing_moves(seen: Look) -> bool:
    """Whether all inputs are constant in all samples."""
    looks = [i for i in seen.inputs.values() if i.lows]
    return bool(looks) and all(bool(i.constant.all()) for i in looks)
