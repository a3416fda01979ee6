from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from services.training.domain.policy import asked_for, change_point, due, verdict
from services.training.domain.situation import Drift, LastRun, Rules, Situation, Trigger

NOW = datetime(2013, 6, 30, 12, tzinfo=UTC)
DAYS = timedelta(days=1)
RULES = Rules(max_age=56 * DAYS, cooldown=7 * DAYS, min_labels=5000, volume=None)
SETTLED = replace(RULES, lasting=8 * DAYS)
COUNTED = Rules(max_age=56 * DAYS, cooldown=7 * DAYS, min_labels=5000, volume=4000)


def drift(**changes):
    usual = {
        "event_id": "d1",
        "version": "0.0.2",
        "detector": "loss",
        "since": NOW - 8 * DAYS,
        "until": NOW - DAYS / 2,
        "harmful": True,
    }
    return Drift(**usual | changes)


def run(days_ago, labels, *, ended=True, brought=True):
    return LastRun("r9", NOW - days_ago * DAYS, labels, ended, brought)


def situation(**changes):
    """A champion whose run, 20 days ago, had 15,000 of the 20,000 labels."""
    usual = {
        "now": NOW,
        "version": 7,
        "labels": 20_000,
        "champion": "0.0.2",
        "trained_at": NOW - 30 * DAYS,
        "learned": 15_000,
        "last": run(20, 15_000),
        "drift": None,
        "changed": 0,
        "alerts": (),
    }
    return Situation(**usual | changes)


def drifted(changed=6000, **changes):
    return {"drift": drift(), "changed": changed, **changes}


DRIFT, AGE, VOLUME, REQUEST = Trigger("drift", drift()), *map(Trigger, ("age", "volume", "request"))
PRIOR = {"trained_at": None, "champion": "0.0.0", "learned": 0, "last": None}
SEATS = (("a1", "seats is missing in 23 % of predictions"),)

CASES = {
    "drift of the champion": (
        DRIFT,
        drifted(),
        "started: loss drift of version 0.0.2 since 2013-06-22 12:00; "
        "6,000 matured labels since then, 20,000 in all",
    ),
    "a request": (REQUEST, {}, "started: requested"),
    "age": (
        AGE,
        {"trained_at": NOW - 57 * DAYS},
        "started: the champion is 57d old, at most 56d allowed",
    ),
    "as many labels again": (
        VOLUME,
        {"labels": 30_000},
        "started: 30,000 matured labels, twice the 15,000 of the champion's run",
    ),
    "the first model": (VOLUME, PRIOR, "started: first model, 20,000 matured labels"),
    "cool-down": (
        DRIFT,
        drifted(last=run(3, 15_000)),
        "suppressed: cooldown, last run 3d ago, cool-down 7d",
    ),
    "cool-down is over to the second": (DRIFT, drifted(last=run(7, 15_000)), "started: loss drift"),
    "too few labels": (
        REQUEST,
        {"labels": 3120},
        "suppressed: 3,120 matured labels, 5,000 needed",
    ),
    "a run goes on": (
        REQUEST,
        {"last": run(20, 1, ended=False)},
        "suppressed: a run is in progress",
    ),
    "drift of another version": (
        Trigger("drift", drift(version="0.0.1")),
        {},
        "suppressed: drift was measured on version 0.0.1 which is no longer the champion",
    ),
    "drift that a run has answered": (
        DRIFT,
        {},
        "suppressed: a run has answered this drift already",
    ),
    "inputs only inform": (
        Trigger("drift", drift(detector="inputs", harmful=False, summary="x has moved")),
        {"alerts": SEATS},
        "suppressed: inform only, inputs drift: x has moved",
    ),
    "bad data block drift": (
        DRIFT,
        drifted(alerts=SEATS),
        "suppressed: data quality, seats is missing in 23 % of predictions",
    ),
    "bad data block age": (
        AGE,
        {"trained_at": NOW - 57 * DAYS, "alerts": (*SEATS, ("a2", "x"), ("a3", "y"))},
        "suppressed: data quality, seats is missing in 23 % of predictions; and 2 more",
    ),
    "bad data block volume": (VOLUME, {"alerts": SEATS}, "suppressed: data quality, seats"),
    "bad data do not block who asks": (
        REQUEST,
        {"alerts": SEATS},
        "started: requested; 20,000 matured labels, "
        "although data quality, seats is missing in 23 % of predictions",
    ),
    "too few labels since the change": (
        DRIFT,
        drifted(1204, rules=SETTLED),
        "suppressed: 1,204 matured labels in 8d since the change of 2013-06-22 12:00, "
        "5,000 in 8d needed",
    ),
    "labels enough of too few days": (
        DRIFT,
        {"drift": drift(since=NOW - 7.9 * DAYS), "changed": 9000, "rules": SETTLED},
        "suppressed: 9,000 matured labels in 7d since the change of 2013-06-22 14:24, "
        "5,000 in 8d needed",
    ),
    "both are enough": (DRIFT, drifted(5000, rules=SETTLED), "started: loss drift"),
    "a change that lasted a day and was seen no more": (
        DRIFT,
        {"drift": drift(since=NOW - 8.1 * DAYS, until=NOW - 7.1 * DAYS), "changed": 9000},
        "suppressed: the drift has not been seen since 2013-06-23 09:36",
    ),
    "monitor would not have repeated it yet": (
        DRIFT,
        {"drift": drift(since=NOW - 8 * DAYS, until=NOW - 7 * DAYS), "changed": 9000},
        "started: loss drift",
    ),
    "too few labels that the champion has not seen": (
        AGE,
        {"trained_at": NOW - 57 * DAYS, "learned": 15_001},
        "suppressed: 4,999 matured labels since the run of 0.0.2, 5,000 needed",
    ),
    "nobody need wait who asks": (REQUEST, {"learned": 20_000}, "started: requested"),
    "once refused, age needs twice the labels": (
        AGE,
        {"trained_at": NOW - 80 * DAYS, "learned": 5000, "last": run(20, 12_501)},
        "suppressed: the last candidate was not taken; 15,000 matured labels since the run of "
        "0.0.2, twice the 7,501 of then needed",
    ),
    "twice the labels are enough": (
        AGE,
        {"trained_at": NOW - 80 * DAYS, "learned": 5000, "last": run(20, 12_500)},
        "started: the champion is 80d old",
    ),
    "after another max_age, age asks again whatever came": (
        AGE,
        {"trained_at": NOW - 120 * DAYS, "learned": 5000, "last": run(56.1, 15_000)},
        "started: the champion is 120d old",
    ),
    "a refused run about drift is no answer to age": (
        AGE,
        {"trained_at": NOW - 80 * DAYS, "learned": 5000, "last": run(8, 19_000), "tried": 5000},
        "started: the champion is 80d old",
    ),
    "a refused run about age is, though one about drift came later": (
        AGE,
        {"trained_at": NOW - 80 * DAYS, "learned": 5000, "last": run(8, 19_000), "tried": 12_501},
        "suppressed: the last candidate was not taken; 15,000 matured labels since the run of "
        "0.0.2, twice the 7,501 of then needed",
    ),
    "once refused, drift needs twice the labels since the change": (
        DRIFT,
        drifted(8000, last=run(20, 16_001)),
        "suppressed: the last candidate was not taken; 8,000 matured labels in 8d since the change "
        "of 2013-06-22 12:00, twice the 4,001 of then needed",
    ),
    "a change after the refused run is another question": (
        DRIFT,
        drifted(5000, last=run(20, 14_000), learned=2000),
        "started: loss drift",
    ),
    "a run that broke off was no refusal": (
        AGE,
        {"trained_at": NOW - 80 * DAYS, "learned": 0, "last": run(8, 19_000, brought=False)},
        "started: the champion is 80d old",
    ),
    "a declared volume is counted as it is declared": (
        VOLUME,
        {"rules": COUNTED, "learned": 0, "last": run(20, 16_000)},
        "started: 4,000 new labels since the last run",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_its_reason_in_words(case):
    trigger, changes, reason = CASES[case]
    rules = changes.get("rules", RULES)
    given = {name: value for name, value in changes.items() if name != "rules"}
    answer = verdict(trigger, situation(**given), rules)
    assert answer.reason.startswith(reason)
    assert answer.started == reason.startswith("started")
    assert (answer.obstacle is None) == answer.started


def kinds(standing, rules=RULES):
    return [trigger.kind for trigger in due(standing, rules)]


def test_nothing_is_due_for_a_young_champion():
    assert kinds(situation()) == []


def test_age_is_due_only_beyond_the_limit():
    assert kinds(situation(trained_at=NOW - 56 * DAYS)) == []
    assert kinds(situation(trained_at=NOW - 56 * DAYS - DAYS / 24)) == ["age"]


def test_the_prior_asks_for_a_first_model_once_there_are_labels_enough():
    assert kinds(situation(**PRIOR, labels=4999)) == []
    assert kinds(situation(**PRIOR, labels=5000)) == ["volume"]


def test_a_declared_volume_counts_the_labels_since_the_last_run():
    assert kinds(situation(labels=18_999), COUNTED) == []
    assert kinds(situation(labels=19_000), COUNTED) == ["volume"]


def test_without_one_it_takes_twice_the_labels_of_the_champions_run():
    assert kinds(situation(labels=29_999)) == []
    assert kinds(situation(labels=30_000)) == ["volume"]
    assert kinds(situation(labels=30_000, learned=None)) == []


def test_nothing_is_due_by_itself_while_a_run_goes_on_or_cools_down():
    old = {"trained_at": NOW - 90 * DAYS, **drifted()}
    assert kinds(situation(**old, last=run(8, 0, ended=False))) == []
    assert kinds(situation(**old, last=run(6, 0))) == []
    assert kinds(situation(**old, last=run(7, 0))) == ["drift", "age"]


def test_what_starts_goes_before_what_is_refused_and_drift_is_refused_once():
    old = {"trained_at": NOW - 90 * DAYS}
    assert asked_for(situation(), RULES) is None
    assert asked_for(situation(**drifted(10)), RULES) is None
    trigger, answer = asked_for(situation(**drifted(10), **old), RULES)
    assert (trigger.kind, answer.started) == ("age", True)
    trigger, answer = asked_for(situation(**drifted(), **old), RULES)
    assert (trigger.kind, answer.started) == ("drift", True)
    trigger, answer = asked_for(situation(**drifted(), **old, alerts=SEATS), RULES)
    assert (trigger.kind, answer.obstacle) == ("age", "alert a1")


def test_a_change_is_learned_from_alone_where_there_are_labels_enough():
    assert change_point(situation(), RULES) is None
    assert change_point(situation(**drifted(4999)), RULES) is None
    assert change_point(situation(**drifted(5000)), RULES) == drift().since
    assert change_point(situation(**drifted(5000)), replace(RULES, lasting=9 * DAYS)) is None
    gone = drift(since=NOW - 30 * DAYS, until=NOW - 16 * DAYS)
    assert change_point(situation(drift=gone, changed=9000), RULES) is None


class Stream:
    """Years of events at a steady rate, and the runs that ask for themselves."""

    def __init__(self, per_day, *, taken, rules=RULES):
        self.per_day, self.taken, self.rules = per_day, taken, rules
        self.now = NOW
        self.labels, self.runs = 0, []
        self.champion, self.trained_at, self.learned = "0.0.0", None, 0

    def live(self, days):
        for _ in range(days):
            self.now += DAYS
            self.labels += self.per_day
            last = self.runs[-1] if self.runs else None
            standing = situation(
                now=self.now,
                labels=self.labels,
                champion=self.champion,
                trained_at=self.trained_at,
                learned=self.learned,
                last=last,
            )
            asked = asked_for(standing, self.rules)
            if asked and asked[1].started:
                self.run()
        return self

    def run(self):
        self.runs.append(LastRun(str(len(self.runs)), self.now, self.labels, True, True))
        if self.taken:
            self.champion, self.learned = f"0.0.{len(self.runs)}", self.labels
            self.trained_at = self.now - 14 * DAYS


def test_the_first_runs_double_the_labels_then_age_asks():
    stream = Stream(1000, taken=True).live(365)
    labels = [run.labels for run in stream.runs]
    assert labels[:5] == [5000, 12_000, 24_000, 48_000, 91_000]
    assert {later - earlier for earlier, later in pairwise(labels[4:])} == {43_000}


@pytest.mark.parametrize("per_day", [100, 1000, 100_000])
def test_with_every_candidate_refused_each_run_has_twice_the_labels(per_day):
    labels = [run.labels for run in Stream(per_day, taken=False).live(730).runs]
    assert len(labels) > 3
    assert all(later >= 2 * earlier for earlier, later in pairwise(labels))
