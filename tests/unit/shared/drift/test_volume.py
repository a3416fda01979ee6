"""How many rows there are."""

import numpy as np
import pytest
from scipy.stats import t as student

from shared.drift.baseline import Volume
from shared.drift.volume import VolumeTest

CENTRE, SPREAD = np.log(1000), 0.2
TEST = VolumeTest(Volume(CENTRE, SPREAD), 2.0, 0)


def test_both_directions_beyond_a_tolerance():
    rows = np.array([[1000], [1200], [100], [10_000], [0]])
    up, down = TEST.log_e(rows).T
    assert up[3] > 3 > 0 > up[2]
    assert down[2] > 3 > 0 > down[3]
    assert (TEST.log_e(rows[:2]) < 0).all()
    assert down[4] > down[2]
    assert TEST.outside(rows).tolist() == [
        [False, False],
        [False, False],
        [False, True],
        [True, False],
        [False, True],
    ]
    assert TEST.moved(rows)[2].tolist() == pytest.approx([np.log(0.1)] * 2)


def test_heavy_tails_at_the_tolerance_do_not_pay():
    noise = student.ppf((np.arange(200_000) + 0.5) / 200_000, 4)
    rows = np.exp(np.clip(CENTRE + SPREAD * (2.0 + noise), 0, 40))[:, None]
    assert np.exp(TEST.log_e(rows)[:, 0]).mean() <= 1.0
