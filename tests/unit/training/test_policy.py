from datetime import UTC, datetime, timedelta

import pytest

from services.training.domain.policy import (
    LastRun,
    Rules,
    Situation,
    Trigger,
    due,
    verdict,
    window_start,
)

NOW = datetime(2013, 6, 30, 12, tzinfo=UTC)
DAYS = timedelta(days=1)
RULES = Rules(max_age=56 * DAYS, cooldown=7 * DAYS, min_labels=5000, volume=None)


def situation(**changes):
    usual = {
        "now": NOW,
        "labels": 20_000,
        "champion": "0.0.2",
        "trained_at": NOW - 20 * DAYS,
        "last": LastRun(NOW - 20 * DAYS, 15_000, ended=True),
    }
    return Situation(**usual | changes)


CASES = {
    "drift of the champion": (Trigger("drift", "0.0.2"), {}, "started: drift of version 0.0.2"),
    "a request": (Trigger("request"), {}, "started: requested"),
    "age": (
        Trigger("age"),
        {"trained_at": NOW - 57 * DAYS},
        "started: the champion is 57d old, at most 56d allowed",
    ),
    "volume": (Trigger("volume"), {}, "started: 5,000 new labels since the last run"),
    "the first model": (
        Trigger("volume"),
        {"trained_at": None, "champion": "0.0.0", "last": None},
        "started: first model, 20,000 matured labels",
    ),
    "cool-down": (
        Trigger("drift", "0.0.2"),
        {"last": LastRun(NOW - 3 * DAYS, 1, ended=True)},
        "suppressed: cooldown, last run 3d ago, cool-down 7d",
    ),
    "cool-down is over to the second": (
        Trigger("drift", "0.0.2"),
        {"last": LastRun(NOW - 7 * DAYS, 1, ended=True)},
        "started: drift",
    ),
    "too few labels": (
        Trigger("drift", "0.0.2"),
        {"labels": 3120},
        "suppressed: 3,120 matured labels, 5,000 needed",
    ),
    "a run goes on": (
        Trigger("request"),
        {"last": LastRun(NOW - 20 * DAYS, 1, ended=False)},
        "suppressed: a run is in progress",
    ),
    "drift of another version": (
        Trigger("drift", "0.0.1"),
        {},
        "suppressed: drift was measured on version 0.0.1 which is no longer the champion",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_its_reason_in_words(case):
    trigger, changes, reason = CASES[case]
    answer = verdict(trigger, situation(**changes), RULES)
    assert answer.reason.startswith(reason)
    assert answer.started == reason.startswith("started")


def test_nothing_is_due_for_a_young_champion():
    assert due(situation(), RULES) is None


def test_age_is_due_only_beyond_the_limit():
    assert due(situation(trained_at=NOW - 56 * DAYS), RULES) is None
    assert due(situation(trained_at=NOW - 56 * DAYS - DAYS / 24), RULES) == Trigger("age")


def test_the_prior_asks_for_a_first_model_once_there_are_labels_enough():
    prior = {"trained_at": None, "champion": "0.0.0", "last": None}
    assert due(situation(**prior, labels=4999), RULES) is None
    assert due(situation(**prior, labels=5000), RULES) == Trigger("volume")


def test_volume_counts_the_labels_since_the_last_run():
    rules = Rules(max_age=56 * DAYS, cooldown=7 * DAYS, min_labels=5000, volume=5001)
    assert due(situation(), rules) is None
    assert due(situation(labels=20_001), rules) == Trigger("volume")


def test_nothing_is_due_by_itself_while_a_run_goes_on_or_cools_down():
    old = {"trained_at": NOW - 90 * DAYS}
    assert due(situation(**old, last=LastRun(NOW - 8 * DAYS, 0, ended=False)), RULES) is None
    assert due(situation(**old, last=LastRun(NOW - 6 * DAYS, 0, ended=True)), RULES) is None
    assert due(situation(**old, last=LastRun(NOW - 7 * DAYS, 0, ended=True)), RULES) is not None


def test_windows_are_aligned_to_the_epoch_in_utc():
    assert window_start(NOW, DAYS) == datetime(2013, 6, 30, tzinfo=UTC)
    assert window_start(NOW, 7 * DAYS) == datetime(
        2013, 6, 27, tzinfo=UTC
    )  # a Thursday, as 1970-01-01
