"""What alarms recommend, row by row of the decision table, and when they are told."""

import pytest

from services.monitor.domain.acting import ADVICE, DOUBTS, advice
from services.monitor.domain.ledger import Ledger, Open, Span

NULLS = Span("quality", 10, 20, ["temp"])


@pytest.mark.parametrize("detector", ["inputs", "impact"])
@pytest.mark.parametrize("alerts", [[], [NULLS]])
def test_inputs_alone_inform(detector, alerts):
    assert advice(detector, 12, 15, alerts).recommendation == "inform"


@pytest.mark.parametrize("detector", DOUBTS)
def test_labels_ask_to_retrain(detector):
    said = advice(detector, 12, 15, [])
    assert said.recommendation == "retrain"
    assert said.reason == ADVICE[detector]


@pytest.mark.parametrize("detector", DOUBTS)
@pytest.mark.parametrize(
    ("since", "until", "recommended"),
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
def test_broken_data_block_what_rests_on_them_by_half(detector, since, until, recommended):
    said = advice(detector, since, until, [NULLS])
    assert said.recommendation == recommended
    assert ("mend temp first" in said.reason) == (recommended == "inform")


def test_an_open_alert_blocks_all_that_comes_after():
    open_, other = Span("labels", 10, None, ["labels"]), Span("quality", 11, None, ["wind"])
    said = advice("loss", 500, 600, [open_, other])
    assert said.recommendation == "inform"
    assert "labels, wind" in said.reason


def test_an_alert_is_one_span_until_it_is_resolved():
    ledger = Ledger()
    ledger.alert("quality", 10, ["temp"])
    ledger.alert("quality", 8, ["wind"])
    ledger.alert("labels", 9, ["labels"])
    ledger.resolve("quality", 20)
    ledger.alert("quality", 30, ["temp"])
    assert ledger.spans == [
        Span("quality", 8, 20, ["temp", "wind"]),
        Span("labels", 9, None, ["labels"]),
        Span("quality", 30, None, ["temp"]),
    ]


def test_only_the_latest_spans_are_kept():
    ledger = Ledger()
    for at in range(100):
        ledger.alert("quality", at, ["temp"])
        ledger.resolve("quality", at + 1)
    assert [span.since for span in ledger.spans] == list(range(84, 100))


def told(*alarms, cooldown=7):
    """Which of (blamed, asks, until) are told."""
    known, said = Open(), []
    for number, (names, asks, until) in enumerate(alarms):
        if not known.silent(names, asks=asks, until=until, cooldown=cooldown):
            known.note(str(number), names, asks=asks, until=until)
            said.append(number)
    return said


def test_an_alarm_is_told_once_and_again_for_something_new():
    assert told(("a", False, 1), ("a", False, 99), ("ab", False, 100), ("b", False, 101)) == [0, 2]


def test_asking_to_retrain_is_repeated_after_a_cool_down():
    assert told(*[("a", True, until) for until in range(1, 17)]) == [0, 7, 14]


def test_what_only_informed_before_may_ask():
    assert told(("a", False, 1), ("a", True, 2), ("a", True, 3)) == [0, 1]
