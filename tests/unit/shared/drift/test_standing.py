"""What alarms recommend, row by row of the decision table, and when they are told."""

import pytest

from shared.drift.standing import DOUBTS, FAULTS, Alert, Open, Standing, blamed
from shared.drift.verdicts import Verdict

NULLS = Alert("quality", 10, 20, ["temp"])


def verdict(detector, since=1, until=2, listed=("feature:a",), *, alarm=True, normal=False):
    return Verdict(
        detector=detector,
        evidence=1000.0 if alarm else 1.0,
        level=800.0,
        alarm=alarm,
        since=since,
        until=until,
        windows=1,
        contributions=(),
        listed=tuple(listed),
        summary="",
        normal=normal,
    )


def standing(*alerts):
    return Standing({}, list(alerts))


def found(detector, since, until, *alerts):
    return standing(*alerts).alarm(verdict(detector, since, until), cooldown=7)


@pytest.mark.parametrize("detector", ["inputs", "impact"])
@pytest.mark.parametrize("alerts", [[], [NULLS]])
def test_inputs_alone_inform(detector, alerts):
    finding = found(detector, 12, 15, *alerts)
    assert (finding.kind, finding.broken) == ("inform", ())


@pytest.mark.parametrize("detector", DOUBTS)
@pytest.mark.parametrize(
    ("since", "until", "kind"),
    [
        (5, 10, "retrain"),
        (5, 14, "retrain"),
        (5, 15, "inform"),
        (12, 15, "inform"),
        (15, 25, "inform"),
        (16, 25, "retrain"),
        (20, 30, "retrain"),
    ],
)
def test_broken_data_block_what_rests_on_them_by_half(detector, since, until, kind):
    assert found(detector, 0, 1).kind == "retrain"
    finding = found(detector, since, until, NULLS)
    assert finding.kind == kind
    assert finding.broken == (("temp",) if kind == "inform" else ())


def test_an_open_alert_blocks_all_that_comes_after():
    open_, other = Alert("labels", 10, None, ["labels"]), Alert("quality", 11, None, ["wind"])
    finding = found("loss", 500, 600, open_, other)
    assert (finding.kind, finding.broken) == ("inform", ("labels", "wind"))
    assert found("loss", 5, 10, open_).kind == "retrain"


def test_an_alert_lasts_until_it_is_calm_again():
    now, calm = standing(), verdict("quality", alarm=False, normal=True)
    assert now.alarm(verdict("quality", 10, 12, ["null:temp"]), cooldown=7).kind == "fault"
    now.alarm(verdict("quality", 8, 13, ["range:wind"]), cooldown=7)
    now.alarm(verdict("labels", 9, 13, ["labels"]), cooldown=7)
    now.open["quality"].ids.extend(["first", "second"])
    assert now.calm(verdict("quality", alarm=False), 15) == []
    assert now.calm(calm, 20) == ["first", "second"]
    assert now.calm(calm, 25) == []
    assert now.alarm(verdict("quality", 30, 31, ["null:temp"]), cooldown=7)
    assert now.alerts == [
        Alert("quality", 8, 20, ["temp", "wind"]),
        Alert("labels", 9, None, ["labels"]),
        Alert("quality", 30, None, ["temp"]),
    ]


def test_drift_that_is_over_ends_no_alert():
    now = standing(Alert("quality", 1, None, ["temp"]))
    now.alarm(verdict("loss"), cooldown=7)
    assert now.doubted
    assert now.calm(verdict("loss", alarm=False, normal=True), 9) == []
    assert not now.doubted
    assert now.alerts[0].until is None


def test_a_new_champion_ends_what_was_wrong_beside_the_old_one():
    now = standing(NULLS)
    for detector in ("loss", *FAULTS):
        now.alarm(verdict(detector, 30, 31), cooldown=7)
    for detector in FAULTS:
        now.open[detector].ids.append(detector[0])
    assert now.anew(40) == {"intake": ["i"], "labels": ["l"], "quality": ["q"]}
    assert not now.open
    assert [alert.until for alert in now.alerts] == [20, 40, 40, 40]


def test_the_latest_alerts_count_and_those_that_are_open():
    now = standing(Alert("labels", 0, None, ["labels"]))
    for at in range(100):
        now.alarm(verdict("quality", at, at + 1, ["null:temp"]), cooldown=7)
        now.calm(verdict("quality", alarm=False, normal=True), at + 1)
    assert [alert.since for alert in now.latest] == [0, *range(84, 100)]
    assert found("loss", 0, 100, *now.alerts[1:85]).kind == "retrain"
    assert found("loss", 83, 84, *now.alerts[1:]).kind == "retrain"
    assert found("loss", 84, 85, *now.alerts[1:]).kind == "inform"


def told(*alarms, cooldown=7):
    """Which of (blamed, asks, until) are told."""
    known = Open()
    return [
        number
        for number, (names, asks, until) in enumerate(alarms)
        if known.adds(names, asks=asks, until=until, cooldown=cooldown)
    ]


def test_an_alarm_is_told_once_and_again_for_something_new():
    assert told(("a", False, 1), ("a", False, 99), ("ab", False, 100), ("b", False, 101)) == [0, 2]


def test_asking_to_retrain_is_repeated_after_a_cool_down():
    assert told(*[("a", True, until) for until in range(1, 17)]) == [0, 7, 14]


def test_what_only_informed_before_may_ask():
    assert told(("a", False, 1), ("a", True, 2), ("a", True, 3)) == [0, 1]


def test_what_is_blamed_has_one_name_whatever_is_wrong_with_it():
    listed = ["null:temp", "range:temp", "slice:origin=EWR", "score", "score:low", "quarantined"]
    assert blamed(verdict("quality", listed=listed)) == (
        *("temp", "origin=EWR", "score", "score:low", "quarantined"),
    )
