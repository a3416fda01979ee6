"""Counts per window."""

from services.validation.domain.quality import Book, Ledger, start_of

HOUR = 3_600_000


def ledger(book=None, closed=None, otherwise=0):
    return Ledger(book or Book(), closed or {}, width=HOUR, lateness=HOUR // 2, otherwise=otherwise)


def test_windows_are_aligned_also_before_1970():
    assert start_of(5 * HOUR + 1, HOUR) == 5 * HOUR
    assert start_of(-1, HOUR) == -HOUR


def test_a_window_closes_when_its_end_and_the_lateness_have_passed():
    one = ledger()
    one.count(0, 0, "valid", ())
    one.count(1, HOUR + HOUR // 2 - 1, "valid", ())
    assert one.close() == {}
    one.count(2, HOUR + HOUR // 2, "valid", ())
    assert list(one.close()) == [0]
    assert list(one.book.open) == [HOUR]


def test_old_offsets_change_nothing():
    one = ledger(Book(through=7))
    assert not one.count(7, 0, "valid", ())
    assert one.count(8, 0, "valid", ())
    assert one.book.open[0].received == 1


def test_without_a_time_the_current_window_counts():
    one = ledger(Book(newest=5 * HOUR))
    one.count(0, None, "quarantined", ("value: none",))
    assert one.book.open[5 * HOUR].reasons == {"value: none": 1}
    fresh = ledger(otherwise=3 * HOUR)
    fresh.count(0, None, "quarantined", ())
    assert list(fresh.book.open) == [3 * HOUR]
    assert fresh.book.newest is None


def test_a_late_record_amends_a_closed_window():
    first = ledger()
    first.count(0, 0, "valid", ("age",))
    first.count(1, 9 * HOUR, "valid", ())
    closed = first.close()
    second = ledger(first.book, closed)
    second.count(2, 1, "duplicate", ())
    (tally,) = second.close().values()
    assert (tally.received, tally.valid, tally.duplicates, tally.nulls) == (2, 1, 1, {"age": 1})


def test_what_did_not_change_is_not_told_again():
    first = ledger()
    first.count(0, 0, "valid", ())
    first.count(1, 9 * HOUR, "valid", ())
    second = ledger(first.book, first.close())
    second.count(2, 9 * HOUR, "valid", ())
    assert second.close() == {}
