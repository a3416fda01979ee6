"""What had happened around a flight by the time its event is told: weather, delays, waiting."""

import numpy as np

from examples.flights.history import History
from examples.flights.tables import Flights
from examples.source import Ints, Nullable, utc_minutes
from examples.stream import NEVER, ZONE
from examples.weather import Weather

HOUR = 60
DAY = 24 * HOUR

LATE_AFTER = 15
"""Minutes behind schedule at which an arrival starts to count as late."""

_DAWN = np.timedelta64(4, "h")
_READINGS = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")


def weather_features(flights: Flights, weather: Weather, now: Ints) -> dict[str, Nullable]:
    """Look up the last complete hour at the origin, if it ended at most 3 hours ago."""
    stations = [weather.station.names.index(name) for name in flights.origin.names]
    station = np.array(stations)[flights.origin.codes]
    rows = History.of(weather.station.codes, weather.known, np.arange(len(weather.hour)))
    row = rows.last(station, now - 3 * HOUR, now + 1)
    chosen, none = np.ma.getdata(row), np.ma.getmaskarray(row)
    readings = {name: weather.readings[name][chosen] for name in _READINGS}
    return {
        name: np.ma.masked_array(reading, mask=none, keep_mask=True)
        for name, reading in readings.items()
    }


def traffic_features(flights: Flights, now: Ints) -> dict[str, Nullable]:
    """Sum up the flights that had left or landed before `now`, in windows that end there.

    A flight is in no window of its own: the earliest of the year leaves 43 minutes before schedule.
    """
    origin, carrier, dest = flights.origin.codes, flights.carrier.codes, flights.dest.codes
    carrier_origin = carrier * len(flights.origin.names) + origin
    dep_delay, arr_delay = flights.dep_delay.clip(-15, 240), flights.arr_delay.clip(-30, 240)
    late = (flights.arr_delay > LATE_AFTER).astype(np.int64)

    left_origin = _happened(origin, flights.departed, dep_delay)
    left_with_carrier = _happened(carrier, flights.departed, dep_delay)
    landed_at_dest = _happened(dest, flights.landed, arr_delay)
    landed_of_both = _happened(carrier_origin, flights.landed, late)
    return {
        "origin_dep_delay_1h": left_origin.mean(origin, now - HOUR, now),
        "carrier_dep_delay_3h": left_with_carrier.mean(carrier, now - 3 * HOUR, now),
        "dest_arr_delay_6h": landed_at_dest.mean(dest, now - 6 * HOUR, now),
        "carrier_origin_late_rate_7d": landed_of_both.mean(carrier_origin, now - 7 * DAY, now),
        "origin_waiting_share_2h": waiting_share(flights, now),
        "tail_prev_dep_delay": previous_departure(flights, now),
    }


def waiting_share(flights: Flights, now: Ints) -> Nullable:
    """Return the share of the flights due at the origin in the last 2 hours that had not left.

    A flight waits from the minute after it was due until it leaves, or leaves the window, so those
    waiting are those that have begun to wait less those that have ceased. A cancelled flight waits.
    """
    origin, due = flights.origin.codes, flights.due
    ceases = np.minimum(flights.departed, due + 2 * HOUR)
    waits = ceases > due
    began = History.of(origin[waits], due[waits], due[waits])
    ceased = History.of(origin[waits], ceases[waits], due[waits])
    waiting = began.count(origin, 0 * now, now) - ceased.count(origin, 0 * now, now)
    due_lately = History.of(origin, due, due).count(origin, now - 2 * HOUR, now)
    return np.ma.masked_array(waiting / np.maximum(due_lately, 1), mask=due_lately == 0)


def previous_departure(flights: Flights, now: Ints) -> Nullable:
    """Return the delay with which the same aircraft last left New York since 04:00 local time.

    Between midnight and 04:00 the day is still the one before.
    """
    local = flights.date.astype("datetime64[m]") + flights.minute_of_day
    day = (local - _DAWN).astype("datetime64[D]")
    dawn = utc_minutes(day.astype("datetime64[h]") + _DAWN, ZONE)
    known = flights.tail.codes >= 0
    departures = _happened(
        flights.tail.codes[known], flights.departed[known], flights.dep_delay[known]
    )
    return departures.last(flights.tail.codes, dawn, now)


def _happened(group: Ints, minute: Ints, value: Ints) -> History:
    ever = minute < NEVER
    return History.of(group[ever], minute[ever], value[ever])
