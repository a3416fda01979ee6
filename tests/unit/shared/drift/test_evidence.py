"""Evidence by hand."""

import numpy as np
import pytest

from shared.drift.evidence import (
    CEILING,
    NOTHING,
    e_benjamini_hochberg,
    grown,
    lasting,
    replayed,
    shifted,
)

NAN = np.nan


def test_shiryaev_roberts_by_hand():
    m = np.full(1, NOTHING)
    for e, expected in ((2.0, 2.0), (0.5, 1.5), (4.0, 10.0)):
        m = grown(m, np.log([e]))
        assert np.exp(m[0]) == pytest.approx(expected)


def test_nothing_to_bet_on_leaves_evidence_as_it_is():
    m = np.log(np.array([3.0, 1.0]))
    assert grown(m, np.array([NAN, 0.0])).tolist() == [m[0], pytest.approx(np.log(2.0))]


def test_evidence_has_a_ceiling_and_a_way_back():
    m = np.zeros(1)
    for _ in range(5):
        m = grown(m, np.array([1e9]))
    assert m[0] == CEILING
    assert np.exp(grown(m, np.array([-1e9])))[0] < 1e-200


def test_a_replay_is_the_same_recursion():
    rng = np.random.default_rng(0)
    log_e = rng.normal(-0.5, 1, (7, 3))
    log_e[2, 1] = NAN
    order, weights = rng.integers(0, 7, 50), np.array([0.5, 0.3, 0.2])
    m, expected = np.full(3, NOTHING), []
    for window in order:
        m = grown(m, log_e[window])
        expected.append(weights @ np.exp(m))
    np.testing.assert_allclose(replayed(log_e, order, weights), expected)


def test_e_bh_by_hand():
    assert e_benjamini_hochberg([100.0, 1.0, 30.0, 0.0], 20) == [0]
    # 60 * 2 / 4 = 30 >= 25 lists two, although 60 alone would not be enough
    assert e_benjamini_hochberg([70.0, 1.0, 60.0, 0.0], 25) == [0, 2]
    assert e_benjamini_hochberg([70.0, 1.0, 1.0, 0.0], 25) == []
    assert e_benjamini_hochberg([], 25) == []


def test_e_bh_controls_false_discoveries():
    rng = np.random.default_rng(0)
    wrong = []
    for _ in range(4000):
        noise = np.exp(rng.normal(0, 2, 20) - 2)  # e-values of true hypotheses have mean 1
        listed = e_benjamini_hochberg([500.0, 500.0, *noise], 10)
        wrong.append(sum(one >= 2 for one in listed) / max(len(listed), 1))
    assert np.mean(wrong) <= 0.1


def test_runs_begin_last_and_end():
    begun = np.array([0, 0, 3, 3, 3, 0])
    log_e = np.array([1.0, -1.0, -1.0, -1.0, NAN, NAN])
    log_m = np.array([0.0, 0.0, 9.0, 0.5, 0.0, 0.0])
    assert lasting(begun, log_e, log_m, 7).tolist() == [7, 0, 3, 0, 3, 0]
    assert shifted(np.array([0, 2, 9]), 5).tolist() == [0, 1, 4]
