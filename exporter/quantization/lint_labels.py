"""What the float model itself says of labelled data: right answers vanish where the range is wrong, and grow where channels turn round."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from exporter.accuracy import as_by_chance
from exporter.array import Array
from exporter.data import Dataset, InputSpec
from exporter.quantization.finding import Finding, refuse, warn

ASKED = 64
"""Labelled samples that the float model answers."""

Scores = Callable[[Mapping[str, Array]], Array]
"""The float model's scores (n, classes) of samples by source name, in the source's layout."""


def by_labels(data: Dataset, specs: Sequence[InputSpec], scores: Scores) -> Iterator[Finding]:
    """Findings from right and wrong answers; none where outputs are no class scores.

    Args:
        data: With labels.
        specs: The model's inputs.
        scores: (n, classes) of samples by source name.
    """
    x, labels = data.pick(ASKED)
    assert labels is not None
    answers = scores(x)
    if answers.ndim != 2 or answers.shape[1] <= labels.max():
        return
    n, classes = answers.shape
    right = int((answers.argmax(1) == labels).sum())
    pictures = [spec for spec in specs if spec.channels == 3 and len(spec.shape) == 3]
    if pictures:
        turned = {**x, **{spec.name: _reversed(x[spec.name], spec) for spec in pictures}}
        other = int((scores(turned).argmax(1) == labels).sum())
        if other - right > _noise(n, max(other, right)):
            yield refuse("channel order", f"the float model gets {right} of {n} right, and {other} with the channels in reverse order",
                         "give --color bgr or rgb, whichever it is not")  # fmt: skip
            return
    if as_by_chance(right, n, classes):
        yield warn("labels", f"the float model gets only {right} of {n} right, as by chance",
                   "check --mean, --std, --color and the order of --labels")  # fmt: skip


def _reversed(x: Array, spec: InputSpec) -> Array:
    return x[:, ::-1] if spec.layout == "nchw" else x[..., ::-1]


def _noise(n: int, right: int) -> float:
    """Three deviations of a difference of two counts; at least a tenth of all."""
    return max(3 * float(np.sqrt(2 * right * (1 - right / n) + 1)), n / 10)
