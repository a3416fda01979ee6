"""The first detector, by hand."""

from math import sqrt

import numpy as np
import pytest

from services.monitor.domain.drift import Champion, TrailingMeans
from services.monitor.domain.merging import Whole
from services.monitor.domain.tallies import Sums, VersionSums

PRIOR = Champion("0.0.0", "binary", None, None)
TRAINED = Champion("1.0.0", "binary", loss=0.5, loss_sd=0.4)


def window(day, version="0.0.0", slices=None, **sums):
    total = Sums(n=sums["labelled"], **sums)
    return Whole(day * 10, day * 10 + 10, {version: VersionSums(total, slices or {})})


def days(observed, labelled=100, predicted=25.0, loss=50.0, version="0.0.0"):
    """Make windows of scores of .25 with so many true labels each."""
    return [
        window(
            day,
            version,
            labelled=labelled,
            predicted=predicted,
            observed=count,
            loss=loss,
            variance=labelled * 0.1875,
        )
        for day, count in enumerate(observed)
    ]


def judged(trail, champion=PRIOR, promise=1000):
    return {v.detector: v for v in TrailingMeans().verdicts(trail, champion, promise)}


def test_z_of_equal_windows_by_hand():
    found = judged(days([35, 35, 35]))["calibration"]
    # No spread between windows: phi = 1, |-30| / sqrt(300 * .1875).
    assert found.statistic == pytest.approx(30 / sqrt(56.25))
    assert found.level == pytest.approx(3.2905, abs=1e-4)
    assert found.alarm
    assert found.since == 0
    assert found.summary.startswith(
        "mean score 0.25, mean label 0.35 over 3 windows (300 labels), z 4.0 > 3.3"
    )


def test_windows_that_differ_among_themselves_prove_less():
    found = judged(days([15, 35, 55]))["calibration"]
    # Differences 10, -10, -30 around their mean -10: phi = (400 + 0 + 400) / 18.75 / 2.
    phi = 800 / 18.75 / 2
    assert found.statistic == pytest.approx(30 / sqrt(phi * 56.25))
    assert not found.alarm


def test_a_small_difference_is_no_alarm_however_certain():
    trail = days([290] * 7, labelled=1000, predicted=250.0)
    found = judged(trail)["calibration"]
    assert found.statistic > found.level
    assert not found.alarm


@pytest.mark.parametrize("trail", [days([60, 60]), days([30, 30, 30], labelled=60), []])
def test_little_evidence_says_nothing(trail):
    assert judged(trail) == {}


def test_only_the_latest_windows_and_the_champion_count():
    trail = days([90] * 3 + [25] * 7)
    assert judged(trail)["calibration"].statistic == 0
    assert judged(trail, Champion("9.9.9", "binary", None, None)) == {}


def test_loss_above_the_baseline_by_hand():
    found = judged(days([25] * 4, loss=56.0, version="1.0.0"), TRAINED)["loss"]
    assert found.statistic == pytest.approx(24 / sqrt(400 * 0.16))
    assert not found.alarm
    found = judged(days([25] * 4, loss=60.0, version="1.0.0"), TRAINED)["loss"]
    assert found.statistic == pytest.approx(5.0)
    assert found.alarm


def test_a_lower_loss_is_no_alarm():
    found = judged(days([25] * 4, loss=40.0, version="1.0.0"), TRAINED)["loss"]
    assert found.statistic < 0
    assert not found.alarm


def test_the_slice_that_moved_is_blamed():
    trail = days([35] * 3)
    for whole in trail:
        whole.versions["0.0.0"].slices = {
            "carrier": {
                "VX": Sums(50, 50, predicted=12.5, observed=22.5, variance=9.375),
                "UA": Sums(50, 50, predicted=12.5, observed=12.5, variance=9.375),
            }
        }
    found = judged(trail)["calibration"]
    assert found.blamed == ("carrier=VX",)
    assert found.summary.endswith("most in carrier=VX")


def test_regression_is_measured_in_residuals():
    champion = Champion("0.0.0", "regression", None, None)

    def trail(bias):
        return [
            window(day, labelled=100, predicted=2000.0, observed=2000 + 100 * bias, variance=1600.0)
            for day in range(3)
        ]

    # The residual's deviation is 4, the tolerance a tenth of it.
    assert not judged(trail(0.39), champion, promise=10)["calibration"].alarm
    assert judged(trail(0.8), champion)["calibration"].alarm


@pytest.mark.parametrize("daily", [0.0, 0.08])
def test_false_alarms_are_rare_also_when_days_differ(daily):
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):
        rates = np.clip(0.25 + daily * random.standard_normal(7), 0, 1)
        trail = days([float(n) for n in random.binomial(900, rates)], 900, 225.0)
        alarms += judged(trail, promise=1000)["calibration"].alarm
    assert alarms <= (0 if daily == 0 else 6)
