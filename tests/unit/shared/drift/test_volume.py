"""How many rows there are."""

import numpy as np
import pytest
from scipy.stats import t as student

from shared.drift.baseline import Volume
from shared.drift.volume import VolumeTest

CENTRE, SPREAD = np.log(1000), 0.4
TEST = VolumeTest(Volume(CENTRE, SPREAD), 2.0, 0)


def test_both_directions_beyond_a_tolerance():
    rows = np.array([[1000], [2100], [30], [30_000], [0]])
    up, down = TEST.log_e(rows).T
    assert up[3] > 2 > 0 > up[2]
    assert down[2] > 2 > 0 > down[3]
    assert (TEST.log_e(rows[:2]) < 0).all()
    assert down[4] > down[2]
    assert TEST.outside(rows).tolist() == [
        [False, False],
        [False, False],
        [False, True],
        [True, False],
        [False, True],
    ]
    assert TEST.moved(rows)[2].tolist() == pytest.approx([np.log(0.03)] * 2)


def test_half_and_double_are_always_tolerated():
    steady = VolumeTest(Volume(CENTRE, 0.05), 2.0, 0)
    assert not steady.outside(np.array([[501], [1999]])).any()
    assert steady.outside(np.array([[490], [2010]])).tolist() == [[False, True], [True, False]]


def test_heavy_tails_at_the_tolerance_do_not_pay():
    noise = student.ppf((np.arange(200_000) + 0.5) / 200_000, 4)
    rows = np.exp(np.clip(CENTRE + SPREAD * (2.0 + noise), 0, 40))[:, None]
    assert np.exp(TEST.log_e(rows)[:, 0]).mean() <= 1.0
