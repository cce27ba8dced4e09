"""What writers say of weights: the smallest scales at which sums in 16 bits are safe."""

import itertools

import numpy as np
import pytest

from exporter.formats.points import Weights


@pytest.mark.parametrize(("axis", "pairs", "shape"), [(0, (2, 3, 1), (6, 5, 3, 3)), (1, (0,), (7, 4)), (0, (1,), (4, 8))])
def test_no_sum_of_two_products_overflows_however_weights_are_rounded(axis: int, pairs: tuple[int, ...], shape: tuple[int, ...]) -> None:
    weight = np.random.default_rng(1).normal(size=shape)
    scale = Weights("y", "x", "w", axis, pairs=pairs).least_scale(weight)
    rows = weight.transpose(axis, *pairs).reshape(shape[axis], -1) / scale[:, None]
    tight = 0.0
    for row in rows:
        for left, right in itertools.zip_longest(row[::2], row[1::2], fillvalue=0.0):
            tight = max(tight, abs(left + right))
            for first, second in itertools.product((np.floor, np.ceil), repeat=2):
                assert -(2**15) <= 255 * (first(left) + second(right)) < 2**15
    # the largest sum of each channel is the limit itself: 126, but for the rounding of the scale to float32
    assert abs(tight - 126) < 1e-4


def test_without_pairs_any_scale_will_do() -> None:
    assert not Weights("y", "x", "w", 0).least_scale(np.ones((3, 2))).any()
    assert Weights("y", "x", "w", None).least_scale(np.ones((3, 2))).shape == ()
