"""The weather of 2013 as a stream: an event per reading, a label with the next day's reading."""

from collections.abc import Iterator
from datetime import date

import numpy as np

from examples.stream import NEVER, Day, Rows, replayed
from examples.temperature.features import temperature_a_day_later, temperature_features
from examples.weather import Weather, load_weather

FIRST_DAY, LAST_DAY = date(2013, 1, 1), date(2013, 12, 30)
"""The days on which readings become known."""

DAY = 24 * 60


def replay(start: date, end: date) -> Iterator[Day]:
    """Tell the New York days from `start` to `end`, both included, one at a time.

    The features of the first day know the days before it. A label is told 24 hours after its event,
    and only if that was told too.

    Raises:
        ModuleNotFoundError: the demo data is not installed.
        ValueError: `start` lies after `end`.
    """
    yield from replayed(temperature_rows(load_weather()), start, end)


def temperature_rows(weather: Weather) -> Rows:
    """Give every reading its features and its label, the temperature a day later."""
    later = temperature_a_day_later(weather)
    hours = weather.hour.astype("datetime64[m]")
    order = np.argsort(weather.known, kind="stable")
    return Rows(
        id_parts=(np.datetime_as_string(hours, unit="h")[order], weather.station.text()[order]),
        event_minute=weather.known[order],
        features={name: column[order] for name, column in temperature_features(weather).items()},
        label_minute=np.where(np.isnan(later), NEVER, weather.known + DAY)[order],
        label=later[order],
    )
