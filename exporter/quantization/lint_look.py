"""One look at every calibration sample, one at a time; what was seen is kept in a few numbers."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from exporter.array import Array
from exporter.data import Dataset, InputSpec
from exporter.preprocessing import Preprocessing
from exporter.quantization.lint_pictures import are_whole_pixels, is_grey, is_planar, judged, neighbour_correlation, raw_values

FLAT = 1e-3
"""A sample whose values spread less than this share of the range of all samples is constant."""


@dataclass
class InputLook:
    """What was seen of one input; lists have an entry a sample.

    Attributes:
        lows: Smallest raw value (before mean and std); of samples with finite values only.
        highs: Largest.
        whole_pixels: Whether it is whole numbers in 0..255.
        correlations: Of neighbouring pixels; of samples that must be pictures and are not constant.
        grey: Whether all three colours are the same.
        planar: Whether it holds colour planes one after the other.
        sums: Sum over samples of the mean of each channel, for three channels.
        not_finite: Samples with NaN or infinite values.
    """

    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    whole_pixels: list[bool] = field(default_factory=list)
    correlations: list[float] = field(default_factory=list)
    grey: list[bool] = field(default_factory=list)
    planar: list[bool] = field(default_factory=list)
    sums: Array = field(default_factory=lambda: np.zeros(3))
    not_finite: list[int] = field(default_factory=list)

    @property
    def low(self) -> float:
        """Smallest raw value of all samples."""
        return min(self.lows)

    @property
    def high(self) -> float:
        """Largest."""
        return max(self.highs)

    @property
    def constant(self) -> Array:
        """Whether each sample is constant; bool (samples,)."""
        spread = np.array(self.highs) - np.array(self.lows)
        return np.asarray(spread <= FLAT * (self.high - self.low))

    @property
    def all_whole_pixels(self) -> bool:
        """Whether the samples are whole numbers in 0..255; dark pictures, which alone would not tell, may be among them."""
        return 2 * sum(self.whole_pixels) > len(self.whole_pixels) and self.low > -0.01 and self.high < 255.01

    def add(self, x: Array, index: int, spec: InputSpec, prep: Preprocessing) -> None:
        """Look at one preprocessed sample."""
        if not np.isfinite(x).all():
            self.not_finite.append(index)
            return
        raw = raw_values(x, spec, prep)
        self.lows.append(float(raw.min()))
        self.highs.append(float(raw.max()))
        self.whole_pixels.append(are_whole_pixels(raw))
        if raw.ndim != 3 or not judged(spec, self.whole_pixels[-1]):
            return
        if raw.min() < raw.max():
            self.correlations.append(neighbour_correlation(raw))
        if raw.shape[-1] == 3:
            self.grey.append(is_grey(raw))
            self.planar.append(is_planar(raw))
            self.sums += raw.mean((0, 1))


@dataclass
class Look:
    """What was seen of all samples.

    Attributes:
        inputs: By name.
        copies: How often each distinct sample is there.
        samples: How many there are.
    """

    inputs: dict[str, InputLook]
    copies: Counter[bytes] = field(default_factory=Counter)
    samples: int = 0

    @property
    def duplicates(self) -> int:
        """Samples that are an exact copy of an earlier one."""
        return self.samples - len(self.copies)


def look(data: Dataset, specs: Sequence[InputSpec], preprocessing: Mapping[str, Preprocessing]) -> Look:
    """Look at every sample.

    Args:
        data: The samples.
        specs: The model's inputs.
        preprocessing: By input name; those left out are used as they are.
    """
    seen = Look({spec.name: InputLook() for spec in specs})
    for index, sample in enumerate(data.samples.read(range(len(data)))):
        digest = hashlib.sha256()
        for spec in specs:
            x = sample[spec.name]
            digest.update(np.ascontiguousarray(x).data)
            seen.inputs[spec.name].add(x, index, spec, preprocessing.get(spec.name, Preprocessing()))
        seen.copies[digest.digest()] += 1
        seen.samples += 1
    return seen
