"""Smallest balanced removals."""

import numpy as np

from exporter.pruning.bundles import bundles


def test_without_constraints_each_stratum_goes_alone():
    found = bundles(np.zeros((0, 3), np.int64), np.array([4, 1, 2]))
    np.testing.assert_array_equal(found, np.eye(3, dtype=np.int64))


def test_one_of_each_group():
    assert bundles(np.array([[-1, 1, 0], [-1, 0, 1]]), np.array([5, 5, 5])).tolist() == [[1, 1, 1]]


def test_straddling_strata_go_together():
    # counts in three groups: (3,0,0) (0,3,0) (0,0,3) (2,1,0) (0,1,2)
    unequal = np.array([[-3, 3, 0, -1, 1], [-3, 0, 3, -2, 2]])
    found = {tuple(b) for b in bundles(unequal, np.array([6, 6, 6, 1, 1])).tolist()}
    assert found == {(1, 1, 1, 0, 0), (0, 0, 0, 1, 1)}


def test_bounds_hold():
    assert len(bundles(np.array([[3, -1]]), np.array([4, 2]))) == 0
