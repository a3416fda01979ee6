"""The chi-square of a whole histogram, where cells may be nearly empty."""

import numpy as np
import pytest

from shared.drift.omnibus import Omnibus, log_e_of_tail
from shared.drift.streams import Stream


def histogram(shares, rows=1e9):
    shares = np.array(shares)
    k = len(shares)
    return Stream("feature:x", "histogram", np.arange(k), np.zeros(k), shares, rows)


def test_the_calibrator_is_fair_and_meets_known_points():
    p = (np.arange(1_000_000) + 0.5) / 1_000_000
    assert np.exp(log_e_of_tail(p)).mean() < 1.0
    assert np.exp(log_e_of_tail(np.array([1.0])))[0] == pytest.approx(0.5, rel=1e-3)
    assert np.isfinite(log_e_of_tail(np.array([0.0, 1e-320])))[0]


def test_rare_cells_raise_no_false_evidence():
    shares = np.array([0.5, 0.44, *[0.01] * 5, *[0.001] * 10])
    omnibus = Omnibus([histogram(shares)], np.array([0.05]), np.zeros(1))
    rng = np.random.default_rng(0)
    e = np.exp(omnibus.log_e(rng.multinomial(200, shares, 20_000)))
    assert np.nanmean(e) < 1.0
    assert np.nanmax(e) < 20_000


def test_pooled_by_hand():
    shares = np.array([0.6, 0.36, 0.02, 0.02])
    pooled = Omnibus([histogram(shares)], np.array([0.05]), np.zeros(1))
    # 150 rows expect 3 in each rare cell: too few for one, enough for both.
    two, one = np.array([[90, 54, 6, 0]]), np.array([[90, 54, 0, 6]])
    assert pooled.log_e(two) == pooled.log_e(one)
    # 100 rows expect 4 in both: they are left out, however they are filled.
    assert pooled.log_e(np.array([[50, 30, 20, 0]])) == pooled.log_e(np.array([[50, 30, 0, 0]]))


def test_fewer_than_two_cells_say_nothing():
    omnibus = Omnibus([histogram([0.99, 0.01])], np.array([0.05]), np.zeros(1))
    assert np.isnan(omnibus.log_e(np.array([[100, 3]]))).all()
    assert not omnibus.outside(np.array([[100, 3]])).any()


def test_a_changed_shape_with_the_same_location_is_found():
    shares = np.full(8, 1 / 8)
    omnibus = Omnibus([histogram(shares)], np.array([0.05]), np.zeros(1))
    comb = np.array([[200, 50] * 4])
    assert omnibus.log_e(comb)[0, 0] > 50
    assert omnibus.outside(comb).all()
    assert omnibus.moved(comb)[0, 0] == pytest.approx(0.3)
