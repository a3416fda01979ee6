"""What stands in quarantine, and what goes back."""

import pytest

from driftwheel.quarantine import chosen, grouped, quarantined, replayed_place
from tests.doubles import record

HEADERS = [
    ("ce_source", b"/gates"),
    ("quarantine-topic", b"p.data.delay.events.v1"),
    ("quarantine-partition", b"2"),
    ("quarantine-offset", b"17"),
    ("quarantine-reason", b"seats must be a number"),
    ("quarantine-fields", b"features.seats,time"),
    ("quarantine-schema", b"abc"),
    ("quarantine-time", b"2013-06-13T14:45:00+00:00"),
]


def parked(offset=5, value=b"\xffraw", headers=HEADERS):
    raw = record(
        "p.data.delay.events.quarantined.v1", value, key=b"k", offset=offset, headers=headers
    )
    return quarantined(raw)


def test_a_record_tells_where_it_came_from_and_why():
    read = parked()
    assert (read.place, read.topic, read.origin) == ("0:5", "p.data.delay.events.v1", "2:17")
    assert read.fields == ("features.seats", "time")
    assert read.document()["value"] == {"base64": "/3Jhdw=="}


def test_what_goes_back_are_the_original_bytes_with_a_mark():
    back = parked().replay()
    assert (back.value, back.key) == (b"\xffraw", b"k")
    assert back.headers == (("ce_source", b"/gates"), ("quarantine-replayed", b"0:5"))
    sent = record("p.data.delay.events.v1", back.value, headers=back.headers)
    assert replayed_place(sent) == "0:5"
    assert replayed_place(record("t", b"")) is None


def test_headers_that_are_null_or_not_utf8_do_no_harm():
    read = parked(headers=[("a", None), ("b", b"\xff"), ("quarantine-reason", b"\xff")])
    assert read.original.headers == (("a", b""), ("b", b"\xff"))
    assert (read.topic, read.fields) == ("", ())


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({}, 2),
        ({"places": ["0:6"]}, 1),
        ({"field": "features"}, 2),
        ({"field": "features.seats"}, 2),
        ({"field": "feat"}, 0),
        ({"reason": "SEATS"}, 2),
        ({"reason": "age"}, 0),
        ({"field": "time", "places": ["0:7"]}, 0),
    ],
)
def test_filters(filters, count):
    assert len(chosen([parked(5), parked(6)], **filters)) == count


def test_records_are_counted_by_field_and_reason():
    other = parked(headers=[("quarantine-reason", b"no JSON")])
    assert grouped([other, parked(5), parked(6)]) == {
        ("features.seats, time", "seats must be a number"): 2,
        ("", "no JSON"): 1,
    }
