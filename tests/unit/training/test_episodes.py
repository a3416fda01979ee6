from datetime import UTC, datetime, timedelta

from services.training.domain.episodes import passed, waiting
from services.training.domain.situation import Drift

START = datetime(2013, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
COOLDOWN = 7 * DAY


def at(day):
    return START + day * DAY


def drift(since, until, *, version="0.0.1", harmful=True):
    return Drift(f"{since}-{until}", version, "loss", at(since), at(until), harmful)


def span(found):
    return None if found is None else ((found.since - START) / DAY, (found.until - START) / DAY)


def found(*drifts, version="0.0.1", answered=None):
    when = None if answered is None else at(answered)
    return span(waiting(drifts, version, when, COOLDOWN))


def test_nothing_waits_without_harm_to_the_champion():
    assert found() is None
    assert found(drift(1, 2, harmful=False), drift(3, 4, version="0.0.2")) is None


def test_alarms_that_follow_each_other_are_one_change():
    assert found(drift(9, 12), drift(1, 3)) == (1, 12)
    assert found(drift(1, 3), drift(10, 12)) == (1, 12)
    assert found(drift(5, 9), drift(1, 12)) == (1, 12)


def test_a_change_that_had_passed_is_forgotten_at_the_next():
    assert found(drift(1, 3), drift(10.1, 12)) == (10.1, 12)


def test_what_has_lasted_long_passes_slowly():
    assert found(drift(0, 20), drift(39, 41)) == (0, 41)
    assert found(drift(0, 20), drift(41, 42)) == (41, 42)


def test_a_run_has_answered_the_windows_before_it():
    assert found(drift(1, 3), answered=3) is None
    assert found(drift(1, 3), drift(2, 5), answered=3) == (2, 5)


def test_passed_is_longer_than_it_lasted_and_than_monitor_keeps_silent():
    assert not passed(drift(0, 1), at(8), COOLDOWN)
    assert passed(drift(0, 1), at(8.1), COOLDOWN)
    assert not passed(drift(0, 10), at(20), COOLDOWN)
    assert passed(drift(0, 10), at(20.1), COOLDOWN)
