"""The limit of parked records: a bad deploy stops a service, a bad user does not."""

import pytest

from shared.kafka import Parked
from shared.kafka.limit import ParkedLimit
from tests.doubles import record


def parked(number, fault="bug"):
    return [Parked(record("t", b"x"), fault, "why")] * number


@pytest.mark.parametrize("fault", ["poison", "bug", "crash", "unpublishable"])
def test_nothing_but_parked_records_are_too_many_in_a_row(fault):
    limit = ParkedLimit(100)
    assert limit.judge(60, parked(60, fault)) is None
    assert "100 records parked in a row" in (limit.judge(40, parked(40, fault)) or "")


def test_one_good_batch_begins_the_row_anew():
    limit = ParkedLimit(100)
    for _ in range(10):
        assert limit.judge(60, parked(60, "poison")) is None
        assert limit.judge(1, []) is None


def test_more_than_half_by_a_fault_of_ours_are_too_many():
    limit = ParkedLimit(100)
    assert limit.judge(50, parked(26)) is None
    assert "52 of the last 100" in (limit.judge(50, parked(26)) or "")


def test_as_much_poison_is_not():
    limit = ParkedLimit(100)
    for _ in range(20):
        assert limit.judge(50, parked(49, "poison")) is None


def test_the_share_forgets_what_is_long_ago():
    limit = ParkedLimit(100)
    for number in (49, 0, 30):
        assert limit.judge(50, parked(number)) is None
