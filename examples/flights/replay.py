"""The flights of 2013 as a stream: an event an hour before schedule, a label at the landing."""

from collections.abc import Iterator
from datetime import date

from examples.flights.features import event_minutes, flight_features
from examples.flights.recent import LATE_AFTER
from examples.flights.tables import Flights, load_flights
from examples.source import release_memory
from examples.stream import Day, Rows, replayed
from examples.weather import Weather, load_weather

FIRST_DAY, LAST_DAY = date(2013, 1, 1), date(2013, 12, 31)
"""The days on which flights leave; the last labels come on 1 January 2014."""


def replay(start: date, end: date) -> Iterator[Day]:
    """Tell the New York days from `start` to `end`, both included, one at a time.

    The features of the first day know the days before it. A label is told on the day of the
    landing, and only if its event was told too.

    Raises:
        ModuleNotFoundError: the demo data is not installed.
        ValueError: `start` lies after `end`.
    """
    rows = flight_rows(load_flights(), load_weather())
    release_memory()
    yield from replayed(rows, start, end)


def flight_rows(flights: Flights, weather: Weather) -> Rows:
    """Give every flight its features and its label, `late` by more than 15 minutes."""
    return Rows(
        id_parts=(flights.date, flights.carrier.text(), flights.number, flights.origin.text()),
        event_minute=event_minutes(flights),
        features=flight_features(flights, weather),
        label_minute=flights.landed,
        label=flights.arr_delay > LATE_AFTER,
    )
