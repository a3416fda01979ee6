"""What the schedule and the register of aircraft say about a flight, long before it leaves."""

import numpy as np

from examples.flights.history import History
from examples.flights.tables import Flights
from examples.source import Column

YEAR = 2013


def schedule_features(flights: Flights) -> dict[str, Column]:
    """Compute what is known when the schedule is; durations in minutes, `distance` in miles."""
    origin, due = flights.origin.codes, flights.due
    departures = History.of(origin, due, np.ones_like(due))
    return {
        "carrier": flights.carrier.text(),
        "origin": flights.origin.text(),
        "dest": flights.dest.text(),
        "minute_of_day": flights.minute_of_day,
        # 1970 began on a Thursday; Monday is 0.
        "dow": (flights.date.astype(np.int64) + 3) % 7,
        "distance": flights.distance,
        "sched_elapsed": flights.due_at_dest - due,
        "scheduled_load_1h": departures.count(origin, due - 30, due + 31),
        "plane_age": YEAR - flights.plane_year,
        "seats": flights.seats,
    }
