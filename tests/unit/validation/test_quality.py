"""Counts per window."""

import numpy as np

from services.validation.domain.columns import NO_TIME
from services.validation.domain.quality import Book, Fate, Ledger, Rows, Tally, starts_of

HOUR = 3_600_000
VALID, DUPLICATE, QUARANTINED = Fate


def ledger(book=None, closed=None, otherwise=0):
    return Ledger(book or Book(), closed or {}, width=HOUR, lateness=HOUR // 2, otherwise=otherwise)


def rows(*records):
    """Lay out (time, fate, what is missing or which rules are broken), the last two optional."""
    times, fates, about = zip(
        *((time, *rest, *(VALID, ())[len(rest) :]) for time, *rest in records), strict=True
    )
    return Rows(
        np.array([NO_TIME if time is None else time for time in times]),
        np.array(fates, dtype=np.int8),
        np.array(
            [
                [fate != QUARANTINED and name in missing for name in ("age", "origin")]
                for fate, missing in zip(fates, about, strict=True)
            ]
        ),
        ("age", "origin"),
        {row: about[row] for row, fate in enumerate(fates) if fate == QUARANTINED},
    )


def test_windows_are_aligned_also_before_1970():
    assert starts_of(np.array([5 * HOUR + 1, -1]), HOUR).tolist() == [5 * HOUR, -HOUR]


def test_a_window_closes_when_its_end_and_the_lateness_have_passed():
    one = ledger()
    one.count(rows((0,), (HOUR + HOUR // 2 - 1,)), 1)
    assert one.close() == {}
    one.count(rows((HOUR + HOUR // 2,)), 2)
    assert list(one.close()) == [0]
    assert list(one.book.open) == [HOUR]


def test_every_fate_null_and_rule_is_counted_in_its_window():
    one = ledger()
    counted = one.count(
        rows(
            (0, VALID, ("age",)),
            (HOUR, VALID, ("age", "origin")),
            (1, DUPLICATE, ("age",)),
            (2, QUARANTINED, ("age: missing", "id: missing")),
            (3, VALID, ()),
            (4, QUARANTINED, ("age: missing",)),
        ),
        41,
    )
    assert counted.tolist() == [3, 1, 2]
    assert one.book == Book(
        through=41,
        newest=HOUR,
        open={
            0: Tally(5, 2, 1, 2, {"age: missing": 2, "id: missing": 1}, {"age": 1}),
            HOUR: Tally(1, 1, 0, 0, {}, {"age": 1, "origin": 1}),
        },
    )


def test_without_a_time_the_newest_window_so_far_counts():
    broken = (None, QUARANTINED, ("value: none",))
    one = ledger(Book(newest=5 * HOUR))
    one.count(rows(broken, (4 * HOUR,), broken, (7 * HOUR,), broken), 4)
    assert {start: tally.received for start, tally in one.book.open.items()} == {
        4 * HOUR: 1,
        5 * HOUR: 2,
        7 * HOUR: 2,
    }
    fresh = ledger(otherwise=3 * HOUR)
    fresh.count(rows(broken), 0)
    assert list(fresh.book.open) == [3 * HOUR]
    assert fresh.book.newest is None


def test_a_late_record_amends_a_closed_window():
    first = ledger()
    first.count(rows((0, VALID, ("age",)), (9 * HOUR,)), 1)
    closed = first.close()
    second = ledger(first.book, closed)
    second.count(rows((1, DUPLICATE)), 2)
    (tally,) = second.close().values()
    assert (tally.received, tally.valid, tally.duplicates, tally.nulls) == (2, 1, 1, {"age": 1})


def test_what_did_not_change_is_not_told_again():
    first = ledger()
    first.count(rows((0,), (9 * HOUR,)), 1)
    second = ledger(first.book, first.close())
    second.count(rows((9 * HOUR,)), 2)
    assert second.close() == {}


def test_rows_are_parted_with_what_was_broken_in_them():
    whole = rows((0,), (1, QUARANTINED, ("a",)), (2,), (3, QUARANTINED, ("b",)))
    part = whole.part(slice(2, 4))
    assert part.times.tolist() == [2, 3]
    assert part.rules == {1: ("b",)}
