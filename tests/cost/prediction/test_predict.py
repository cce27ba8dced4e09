"""Bands and answers, on a model made by hand."""

import numpy as np
import pytest

from exporter.cost.prediction.fit import Fit
from exporter.cost.prediction.model import CoreModel
from exporter.cost.prediction.predict import compare, predict


def model(ratios: dict[str, dict[str, float]]) -> CoreModel:
    """One column, a millisecond a unit, on each device."""
    one = np.array([1.0])
    return CoreModel("core", Fit(one, dict.fromkeys(ratios, 1.0), dict.fromkeys(ratios, one)), ratios)


def test_four_of_five_held_out_nets_lie_in_the_band() -> None:
    ratios = {f"net{i}": 0.9 + 0.02 * i for i in range(11)}  # time / prediction from 0.90 to 1.10
    got = predict(model({"a": ratios}), "a", np.array([50.0]))
    assert (got.ms, got.low, got.high) == (50.0, pytest.approx(50 * 0.92), pytest.approx(50 * 1.08))
    assert got.held_out_nets == 11
    assert got.held_out_error == pytest.approx(np.mean([abs(1 / r - 1) for r in ratios.values()]))


def test_a_device_with_few_nets_gets_the_band_of_its_core() -> None:
    many = {f"net{i}": 0.8 + 0.04 * i for i in range(11)}
    got = predict(model({"a": many, "new": {}}), "new", np.array([10.0]))
    assert 8.2 < got.low < 8.6
    assert 11.4 < got.high < 11.8
    assert got.held_out_nets == 0
    assert got.held_out_error == pytest.approx(np.mean([abs(1 / r - 1) for r in many.values()]))


@pytest.mark.parametrize(("int8", "answer"), [(4.0, True), (9.5, None), (20.0, False)])
def test_is_int8_faster(int8: float, answer: bool | None) -> None:
    """Published pairs were up to a tenth off: a ratio of 0.95 is too close to tell."""
    ratios = {f"n{i}": 1.0 for i in range(10)} | {f"n{i}_int8": 0.9 + 0.02 * i for i in range(10)}
    got = compare(model({"a": ratios}), "a", np.array([10.0]), np.array([int8]))
    assert got.ratio == pytest.approx(int8 / 10)
    assert got.faster is answer
    assert got.low < got.ratio < got.high
