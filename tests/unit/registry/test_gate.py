"""What the gate lets through, by hand and at its limits."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.facts import Evaluation, Interval, Registered, Slice, VersionRef
from services.registry.domain.gate import Rules, judged, reason, short, spelled

RULES = Rules("d", "log_loss", 0.95, 100, 0.05, {})
NOW = datetime(2013, 1, 1, tzinfo=UTC)
EVIDENCE = Evaluation(
    "log_loss", 1000, NOW, NOW, "e", 0.44, "0.0.6", 0.45, 0.55,
    Interval(-0.01, -0.02, -0.001, 0.95), 0.2, 0.2, 0.4, (),
)  # fmt: skip


def candidate(**changes):
    return Registered(VersionRef("0.0.7", "linear"), "run", "d", 5, replace(EVIDENCE, **changes))


def refusals(subject, champion="0.0.6", rules=RULES):
    gated = judged(subject, champion, rules)
    assert gated.passed == all(check.passed for check in gated.checks)
    return [check.name for check in gated.checks if not check.passed]


def part(low, rows=100, loss=0.4, value="VX", feature="carrier"):
    return Slice(
        feature, value, rows, loss + low, loss, Interval(low + 0.01, low, low + 0.02, 0.95)
    )


def test_good_evidence_passes():
    assert refusals(candidate()) == []
    assert reason(judged(candidate(), "0.0.6", RULES)) == (
        "passed: 0.0.7 is better than 0.0.6: log_loss .4400 against .4500 on 1,000 pinned rows, "
        "difference -.0100 [-.0200, -.0010]; 0 slices judged"
    )


@pytest.mark.parametrize(
    ("changes", "refused_by"),
    [
        ({"difference": Interval(-0.01, -0.02, 0.0, 0.95)}, ["superiority"]),
        ({"difference": Interval(-0.01, -0.02, -1e-9, 0.95)}, []),
        ({"difference": Interval(-0.01, -0.02, -0.001, 0.9)}, ["evidence"]),
        ({"metric": "brier"}, ["evidence"]),
        ({"prior_loss": 0.44}, ["prior"]),
        ({"rows": 99}, ["rows"]),
        ({"rows": 100}, []),
        ({"champion_version": "0.0.5"}, ["champion"]),
    ],
)
def test_one_fault_one_refusal(changes, refused_by):
    assert refusals(candidate(**changes)) == refused_by


def test_another_declaration_refuses():
    assert refusals(replace(candidate(), declaration="old")) == ["declaration"]


def test_a_slice_refuses_only_when_harm_is_shown():
    # The margin is 5 % of .4 = .02; all of the interval must lie above.
    assert refusals(candidate(slices=(part(0.0201),))) == ["slice carrier=VX"]
    assert refusals(candidate(slices=(part(0.0199),))) == []
    assert refusals(candidate(slices=(part(0.5, rows=99),))) == []


def test_slices_that_must_exist_and_are_not_listed_are_missing_evidence():
    closed = replace(RULES, slices={"carrier": 2})
    assert refusals(candidate(), rules=closed) == ["evidence"]
    both = (part(0, 500), part(0, 500, value="AA"))
    assert refusals(candidate(slices=both), rules=closed) == []
    # 99 rows of the other value are too few to be judged, 100 are not.
    assert refusals(candidate(slices=(part(0, 901),)), rules=closed) == []
    assert refusals(candidate(slices=(part(0, 900),)), rules=closed) == ["evidence"]
    # How many values an open set has nobody knows.
    assert refusals(candidate(), rules=replace(RULES, slices={"tail": None})) == []


def test_many_refusals_are_counted_not_listed():
    slices = tuple(part(1.0, value=str(n)) for n in range(1000))
    told = reason(judged(candidate(slices=slices), "0.0.6", RULES))
    assert told.endswith("; and 997 more")
    assert len(told) < 2000


@given(st.floats(-1, 1), st.floats(0, 1))
def test_more_harm_never_helps(mean, width):
    def passes(shift):
        moved = Interval(mean + shift, mean - width + shift, mean + width + shift, 0.95)
        return judged(candidate(difference=moved), "0.0.6", RULES).passed

    assert passes(0) or not passes(0.1)


def test_numbers_are_written_briefly():
    assert [short(x) for x in (0.4511, 12.3456, -0.25, 0.0)] == [
        ".4511",
        "12.3456",
        "-.2500",
        ".0000",
    ]
    assert spelled(Interval(0.0013, -0.0004, 0.0031, 0.95)) == "+.0013 [-.0004, +.0031]"
    assert spelled(Interval(-0.00012, -0.0004, 0.0001, 0.95)) == "-.000120 [-.000400, +.000100]"
