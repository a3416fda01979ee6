"""Which plan decides a record."""

import pytest

from services.serving.domain.timeline import FROM_THE_BEGINNING, Plan, Timeline

PRIOR = Plan("p0", "0.0.0", None)
FIRST = Plan("p1", "1.0.0", "a" * 64)
SECOND = Plan("p2", "1.0.1", "b" * 64)
BACK = Plan("p3", "1.0.0", "a" * 64, withdrawn="1.0.1")


def versions(timeline: Timeline, *times: float) -> list[str]:
    return [timeline.plans[timeline.in_force(time)].version for time in times]


def test_a_plan_holds_from_its_time_on_until_the_next():
    timeline = Timeline.of([(FROM_THE_BEGINNING, PRIOR), (100, FIRST), (200, SECOND)])
    assert versions(timeline, 0, 99, 100, 199, 200, 1e15) == [
        "0.0.0",
        "0.0.0",
        "1.0.0",
        "1.0.0",
        "1.0.1",
        "1.0.1",
    ]


def test_before_the_first_plan_the_first_one_counts():
    assert versions(Timeline.of([(100, PRIOR), (200, FIRST)]), 5) == ["0.0.0"]


def test_the_order_of_the_history_does_not_matter():
    assert Timeline.of([(200, SECOND), (100, FIRST)]) == Timeline.of([(100, FIRST), (200, SECOND)])


def test_the_first_time_of_a_plan_counts():
    known = Timeline.of([(0, PRIOR), (100, FIRST)])
    assert Timeline.of([(0, PRIOR), (500, FIRST)], known).times == (0, 100)


def test_a_withdrawn_version_decides_nothing_whatever_the_time():
    timeline = Timeline.of([(0, PRIOR), (100, FIRST), (200, SECOND), (300, BACK)])
    assert versions(timeline, 50, 150, 250, 350) == ["0.0.0", "1.0.0", "1.0.0", "1.0.0"]
    assert timeline.plans[timeline.in_force(250)].plan_id == "p3"


def test_withdrawals_follow_each_other_and_spare_a_later_return():
    returned = Plan("p5", "1.0.1", "b" * 64)
    prior = Plan("p4", "0.0.0", None, withdrawn="1.0.0")
    timeline = Timeline.of([(0, FIRST), (1, SECOND), (2, BACK), (3, prior), (4, returned)])
    assert versions(timeline, 0, 1, 2, 3, 4) == ["0.0.0", "0.0.0", "0.0.0", "0.0.0", "1.0.1"]


def test_choices_go_back_in_time_without_what_was_withdrawn():
    timeline = Timeline.of([(0, PRIOR), (100, FIRST), (200, SECOND), (300, BACK)])
    assert [plan.plan_id for plan in timeline.choices(3)] == ["p3", "p1", "p0"]


def test_no_plan_is_no_timeline():
    with pytest.raises(ValueError, match="at least one plan"):
        Timeline.of([])
