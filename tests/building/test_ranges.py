import numpy as np
import pytest

from exporter.building.ranges import saturated
from exporter.quantization.histogram import Histogram

EVEN = Histogram(np.full(100, 10, np.int64), (0.0, 100.0), (0.0, 100.0), (0.0, 100.0))


@pytest.mark.parametrize(
    ("used", "share"),
    [((0, 100), 0), ((-5, 200), 0), ((0, 75), 0.25), ((10, 100), 0.1), ((10, 75), 0.35), ((0, 99.5), 0.005), ((50, 50), 1)],
)
def test_share_of_what_is_cut_off(used, share):
    assert saturated(EVEN, used) == pytest.approx(share)  # exact but for float rounding: counts are evenly spread


def test_nothing_seen_is_nothing_cut_off():
    assert saturated(Histogram(np.zeros(4, np.int64), (0.0, 1.0), (0.0, 0.0), (0.0, 0.0)), (0, 0.5)) == 0
