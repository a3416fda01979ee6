"""A flight's event knows nothing that happened later than an hour before schedule."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from examples.flights.replay import flight_rows
from examples.flights.tables import Flights
from examples.source import Ints
from examples.stream import NEVER, Rows
from examples.weather import Weather
from tests.unit.flights.reference import Reference

FORBIDDEN = {
    "dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "month", "day", "year",
    "late", "tailnum", "flight",
}  # fmt: skip
ROUNDED = 5.001e-5


def first(mask: np.ndarray, count: int = 3) -> list[int]:
    return np.flatnonzero(mask)[:count].tolist()


def sampled(flights: Flights, rows: Rows) -> Ints:
    """Row numbers: every corner we know of, and flights of six random days."""
    day, local = flights.date, flights.minute_of_day
    cancelled = flights.departed == NEVER
    previous = rows.features["tail_prev_dep_delay"]
    dest = flights.dest.text()
    corners = [
        first(day == np.datetime64("2013-01-01"), 2),  # nothing is known yet
        first((day == np.datetime64("2013-01-01")) & (local > 700), 2),
        first(flights.tail.codes < 0),
        first((day == np.datetime64("2013-02-08")) & cancelled & (local > 1000)),  # snow
        first((day == np.datetime64("2013-02-10")) & (local > 500)),
        first(day == np.datetime64("2013-03-10"), 2),  # clocks go forward
        first((day == np.datetime64("2013-03-10")) & (local > 900), 2),
        first(day == np.datetime64("2013-11-03"), 2),  # clocks go back
        first((day == np.datetime64("2013-11-03")) & (local > 900), 2),
        first(day == np.datetime64("2013-12-31"), 2),  # the weather has ended
        first(local < 240, 1),  # before 04:00
        first(np.ma.filled(rows.features["wind_speed"], 0) > 1000, 1),
        first(np.ma.filled(previous, 0) > 300),
        *(first(dest == name, 1) for name in ("HNL", "SJU", "PHX", "ANC")),
    ]
    rng = np.random.default_rng(2013)
    ordinary = [
        rng.choice(np.flatnonzero(day == other), 5, replace=False)
        for other in rng.choice(np.unique(day), 6, replace=False)
    ]
    return np.concatenate([*corners, *ordinary])


def test_every_feature_equals_the_slow_computation_from_what_was_known(
    flights: Flights, rows: Rows, reference: Reference
):
    chosen = sampled(flights, rows)
    assert len(chosen) > 55
    for event in map(json.loads, (message.value for message in rows.events(chosen))):
        flight = reference.find(event["id"])
        expected = reference.features(flight)
        assert list(event["features"]) == list(rows.features)
        assert_same(event["features"], expected, event["id"])
        told = flight.due - timedelta(hours=1)
        assert event["time"] == f"{told:%Y-%m-%dT%H:%M:%SZ}"


def assert_same(told: dict[str, Any], expected: dict[str, Any], flight_id: str) -> None:
    """Equal values of equal types, fractions up to their rounding."""
    assert told.keys() == expected.keys()
    for name, value in expected.items():
        same = (
            told[name] == pytest.approx(value, abs=ROUNDED, rel=0)
            if isinstance(value, float)
            else told[name] == value and type(told[name]) is type(value)
        )
        assert same, f"{flight_id} {name}: {told[name]} instead of {value}"


def with_another_future(flights: Flights, weather: Weather, moment: int) -> tuple[Flights, Weather]:
    """Change every departure, landing and reading that is not known before `moment`."""
    rng = np.random.default_rng(moment)

    def another(happened: Ints, due: Ints) -> tuple[Ints, Ints]:
        other = np.maximum(moment, due) + rng.integers(0, 600, len(due))
        other[rng.random(len(due)) < 0.2] = NEVER
        when = np.where(happened >= moment, other, happened)
        return when, np.where(when < NEVER, when - due, 0)

    departed, dep_delay = another(flights.departed, flights.due)
    landed, arr_delay = another(flights.landed, flights.due_at_dest)
    future = weather.known > moment
    readings = {
        name: np.ma.where(future, column + 1, column) for name, column in weather.readings.items()
    }
    return (
        replace(
            flights,
            departed=departed,
            dep_delay=dep_delay,
            landed=landed,
            arr_delay=arr_delay,
        ),
        replace(weather, readings=readings),
    )


@pytest.mark.parametrize("share", [0.15, 0.8])
def test_another_future_changes_no_byte_of_the_past(
    share: float, flights: Flights, weather: Weather, rows: Rows
):
    moment = int(np.quantile(rows.event_minute, share))
    other = flight_rows(*with_another_future(flights, weather, moment))
    told = int(np.searchsorted(rows.event_minute, moment, side="right"))

    lately = np.arange(told - 2000, told)
    assert other.events(lately) == rows.events(lately)
    for name, column in rows.features.items():
        before, after = column[:told], other.features[name][:told]
        assert np.array_equal(np.ma.getmaskarray(after), np.ma.getmaskarray(before)), name
        assert np.ma.allequal(after, before), name
    later = np.arange(told, told + 2000)
    changed = [a != b for a, b in zip(other.events(later), rows.events(later), strict=True)]
    assert np.mean(changed) > 0.9


def test_the_own_departure_and_landing_are_in_no_window(
    flights: Flights, weather: Weather, rows: Rows
):
    row = int(np.flatnonzero(flights.dep_delay > 120)[4000])
    departed, dep_delay = flights.departed.copy(), flights.dep_delay.copy()
    landed, arr_delay = flights.landed.copy(), flights.arr_delay.copy()
    departed[row], dep_delay[row], landed[row], arr_delay[row] = NEVER, 0, NEVER, 0
    without = replace(
        flights, departed=departed, dep_delay=dep_delay, landed=landed, arr_delay=arr_delay
    )
    other = flight_rows(without, weather)
    assert other.events(np.array([row])) == rows.events(np.array([row]))


def test_no_outcome_and_no_season_among_the_features(rows: Rows):
    assert FORBIDDEN.isdisjoint(rows.features)
