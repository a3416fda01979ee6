"""The stream of flights: what is told, when, and in which order."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from examples.flights.replay import LAST_DAY, replay
from examples.source import data_folder
from examples.stream import NEVER, Message, Rows, replayed
from tests.unit.flights.reference import NEW_YORK, Flight, Reference

FLIGHTS, LABELS = 336_776, 327_346
NEW_YEAR = LAST_DAY + timedelta(days=1)


def clock_shown(moment: datetime, zone: ZoneInfo) -> int:
    local = moment.astimezone(zone)
    return local.hour * 100 + local.minute


def test_every_flight_has_an_id_of_its_own_and_every_landing_a_label(rows: Rows):
    ids = rows.ids(np.arange(len(rows.event_minute)))
    assert len(ids) == len(set(ids)) == FLIGHTS
    assert np.count_nonzero(rows.label_minute < NEVER) == LABELS


@pytest.mark.parametrize(
    ("start", "end"), [(date(2013, 3, 1), date(2013, 3, 31)), (date(2013, 12, 18), NEW_YEAR)]
)
def test_the_days_together_tell_each_event_and_label_once_in_the_order_of_time(
    start: date, end: date, rows: Rows
):
    days = list(replayed(rows, start, end))
    assert [day.date for day in days] == [start + timedelta(days=n) for n in range(len(days))]
    assert days[-1].date == end
    told = [message for day in days for message in day.merged()]
    assert [message.time for message in told] == sorted(message.time for message in told)

    events = [message.key for message in told if message.kind == "events"]
    scheduled = (rows.id_parts[0] >= np.datetime64(start)) & (
        rows.id_parts[0] <= np.datetime64(end)
    )
    assert Counter(events) == Counter(keys(rows, scheduled))
    labels = [message.key for message in told if message.kind == "labels"]
    midnight = datetime(end.year, end.month, end.day, tzinfo=NEW_YORK) + timedelta(days=1)
    landed = rows.label_minute < midnight.timestamp() / 60
    assert Counter(labels) == Counter(keys(rows, scheduled & landed))


def test_the_last_landings_of_the_year_come_after_it(rows: Rows):
    *_, last = replayed(rows, date(2013, 12, 30), NEW_YEAR)
    assert not last.events
    assert len(last.labels) == 66


def keys(rows: Rows, chosen: np.ndarray) -> list[bytes]:
    return [of_id.encode() for of_id in rows.ids(np.flatnonzero(chosen))]


def test_a_record_is_what_the_topics_expect(rows: Rows):
    (day,) = replayed(rows, date(2013, 6, 13), date(2013, 6, 13))
    event, label = day.events[100], day.labels[-1]
    content = json.loads(event.value)
    assert list(content) == ["id", "time", "features"]
    assert event.kind == "events"
    assert event.key.decode() == content["id"]
    assert content["id"].startswith("2013-06-13/")
    assert datetime.fromisoformat(content["time"]) == event.time
    assert content["time"].endswith("Z")

    content = json.loads(label.value)
    assert list(content) == ["id", "time", "value"]
    assert label.kind == "labels"
    assert label.key.decode() == content["id"]
    assert isinstance(content["value"], bool)


@pytest.mark.parametrize("day", [date(2013, 3, 10), date(2013, 11, 3), date(2013, 12, 17)])
def test_labels_come_when_the_clock_at_the_destination_says_so(
    day: date, rows: Rows, reference: Reference
):
    told, after = replayed(rows, day, day + timedelta(days=1))
    landings = {
        flight.id: flight for flight in reference.on(day) if flight.raw["arr_delay"] != "NA"
    }
    labels = {message.key.decode(): message for message in [*told.labels, *after.labels]}
    assert len(landings) > 600
    assert landings.keys() <= labels.keys()
    for flight in landings.values():
        assert_label(labels[flight.id], flight)


def assert_label(label: Message, flight: Flight) -> None:
    assert json.loads(label.value)["value"] is (int(flight.raw["arr_delay"]) > 15)
    assert label.time == flight.landed
    assert clock_shown(label.time, flight.zone) == int(flight.raw["arr_time"]) % 2400


def test_cancelled_and_diverted_flights_never_get_a_label(rows: Rows, reference: Reference):
    snow = date(2013, 2, 8)
    days = list(replayed(rows, snow, snow + timedelta(days=3)))
    lost = {flight.id for flight in reference.on(snow) if flight.raw["arr_delay"] == "NA"}
    assert len(lost) > 400
    assert lost <= {message.key.decode() for message in days[0].events}
    assert lost.isdisjoint(message.key.decode() for day in days for message in day.labels)


def test_a_later_start_tells_the_same_days_without_labels_of_untold_events(rows: Rows):
    whole = list(replayed(rows, date(2013, 7, 1), date(2013, 7, 4)))
    part = list(replayed(rows, date(2013, 7, 3), date(2013, 7, 4)))
    assert [day.events for day in part] == [day.events for day in whole[2:]]
    untold = {message.key for day in whole[:2] for message in day.events}
    labels = [message for day in whole[2:] for message in day.labels]
    kept = [message for message in labels if message.key not in untold]
    assert [message for day in part for message in day.labels] == kept
    assert len(kept) < len(labels)


def test_replay_reads_the_data_itself(rows: Rows):
    first = next(replay(date(2013, 5, 2), LAST_DAY))
    (same,) = replayed(rows, date(2013, 5, 2), date(2013, 5, 2))
    assert first == same


def test_no_label_before_its_event_and_none_within_the_hour(rows: Rows):
    labelled = rows.label_minute < NEVER
    wait = (rows.label_minute - rows.event_minute)[labelled]
    assert labelled.sum() == LABELS
    assert wait.min() > 60
    assert np.median(wait) == pytest.approx(3.8 * 60, abs=6)
    assert wait.max() < 36 * 60, "the horizon of the declaration"
    assert rows.label[labelled].mean() == pytest.approx(0.237, abs=0.001)


def test_a_day_is_a_new_york_day(rows: Rows):
    (day,) = replayed(rows, date(2013, 3, 10), date(2013, 3, 10))
    midnight = datetime(2013, 3, 10, 5, tzinfo=UTC)
    assert all(midnight <= m.time < midnight + timedelta(hours=23) for m in day.merged())


def test_a_replay_that_ends_before_it_starts_is_refused(rows: Rows):
    with pytest.raises(ValueError, match="before its start"):
        next(replayed(rows, date(2013, 2, 1), date(2013, 1, 31)))


def test_without_the_demo_data_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("examples.source.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="extra `demo`"):
        data_folder()
