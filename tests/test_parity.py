import numpy as np
import pytest

from exporter.errors import ParityError
from exporter.parity import Limits, before_activation, compare, sqnr_db


def test_equal_outputs_have_no_distance():
    x = np.array([[1.0, -2.0], [0.5, 4.0]], np.float32)
    c = compare(x, x)
    assert (c.max_abs, c.rel, c.sqnr_db, c.top1_agreement, c.n) == (0, 0, float("inf"), 1.0, 2)
    assert c.cosine == pytest.approx(1)  # float64 rounding of a norm
    assert c.as_dict()["sqnr_db"] == 999.0


def test_figures_of_a_known_difference():
    c = compare(np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]]))
    assert c.max_abs == pytest.approx(0.5)  # exact arithmetic, float64 rounding
    assert c.rel == pytest.approx(0.125)  # 0.5 / 4
    assert c.sqnr_db == pytest.approx(20)  # 25 / 0.25


def test_top1_agreement_counts_samples_and_only_rows_of_scores():
    assert compare(np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([[1.0, 2.0], [1.0, 2.0]])).top1_agreement == 0.5
    assert compare(np.ones((2, 3, 4)), np.ones((2, 3, 4))).top1_agreement is None


def test_not_a_number_never_passes():
    c = compare(np.ones((1, 3)), np.array([[1.0, np.nan, 1.0]]))
    assert Limits(max_rel=1.0).breach(c)
    assert Limits(min_sqnr_db=-100).breach(c)
    ok = compare(np.array([[1.0, np.inf]]), np.array([[1.0, np.inf]]))
    assert ok.rel == 0


def test_memory_that_was_never_written_is_no_warning_but_no_signal():
    """Bits of a signalling NaN, which casts and sums complain of."""
    got = np.array([[0x7F800001, 0x3F800000]], np.uint32).view(np.float32)
    reference = np.ones((1, 2), np.float32)
    assert sqnr_db(reference, got) == float("-inf")
    assert compare(reference, got).sqnr_db == float("-inf")
    assert np.isnan(before_activation("Sigmoid", got)).tolist() == [[True, False]]


def test_a_zero_reference_is_judged_absolutely():
    c = compare(np.zeros((2, 2)), np.full((2, 2), 1e-6))
    assert c.rel == pytest.approx(1e-6)  # max_abs itself
    assert sqnr_db(np.zeros(3), np.ones(3)) == float("-inf")


def test_limits_say_by_how_much():
    c = compare(np.array([[1.0, 0.0]]), np.array([[1.01, 0.0]]))
    assert "1.0e-02 is above the limit 1.0e-04" in str(Limits(max_rel=1e-4).breach(c))
    assert "40.0 dB is below the limit 50 dB" in str(Limits(min_sqnr_db=50).breach(c))
    assert Limits().breach(c) is None


def test_shapes_that_differ_are_named():
    with pytest.raises(ParityError, match=r"got \(2,\), needed \(3,\)"):
        compare(np.ones(3), np.ones(2))


def test_probabilities_hide_what_their_logarithms_show():
    logits = np.array([[0.0, 30.0, -10.0]])
    wrong = logits + np.array([[0.0, 0.0, 5.0]])
    p, q = (np.exp(x - 30) / np.exp(x - 30).sum() for x in (logits, wrong))
    assert compare(p, q).rel < 1e-12  # the softmax alone sees nothing
    assert compare(before_activation("Softmax", p), before_activation("Softmax", q)).rel > 0.1
    assert before_activation("Sigmoid", np.array([0.5]))[0] == pytest.approx(0)  # log 1
