"""The 22 features of a flight, from what was known an hour before its scheduled departure."""

import numpy as np

from examples.flights.recent import traffic_features, weather_features
from examples.flights.schedule import schedule_features
from examples.flights.tables import Flights
from examples.source import Column, Ints
from examples.weather import Weather

NOTICE = 60
"""Minutes before schedule at which a flight's event is told."""


def event_minutes(flights: Flights) -> Ints:
    """Return when each flight's event is told, in minutes since 1970 UTC."""
    return flights.due - NOTICE


def flight_features(flights: Flights, weather: Weather) -> dict[str, Column]:
    """Compute all features by name, each of n rows in the order of `flights`, masked where unknown.

    Fractions are rounded to four decimals: more would only lengthen the records.
    """
    now = event_minutes(flights)
    features = (
        schedule_features(flights)
        | weather_features(flights, weather, now)
        | traffic_features(flights, now)
    )
    return {name: _rounded(column) for name, column in features.items()}


def _rounded(column: Column) -> Column:
    return column.round(4) if np.issubdtype(column.dtype, np.floating) else column
