"""The flights of 2013 and the aircraft that flew them, as columns."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from examples.source import (
    Category,
    Column,
    Ints,
    Nullable,
    Table,
    release_memory,
    utc_minutes,
)
from examples.stream import NEVER

# Airports that the distribution does not list.
_ZONES = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}

_FLIGHTS = {
    "year": "int",
    "month": "int",
    "day": "int",
    "sched_dep_time": "int",
    "sched_arr_time": "int",
    "dep_delay": "int",
    "arr_delay": "int",
    "carrier": "text",
    "flight": "int",
    "tailnum": "text",
    "origin": "text",
    "dest": "text",
    "distance": "int",
    "minute": "int",
    "time_hour": "utc",
}


@dataclass(frozen=True)
class Flights:
    """Flights in the order of their scheduled departure, n rows.

    Moments are minutes since 1970 UTC, delays minutes. The schedule is known long before; that a
    flight `departed` or `landed`, and with what delay, from that moment on only. Both are `NEVER`
    with a delay of 0 for a cancelled flight, the landing also for a diverted one.
    """

    date: Column
    """Local date of the scheduled departure."""
    minute_of_day: Ints
    """Local minute of the scheduled departure."""
    carrier: Category
    number: Ints
    origin: Category
    dest: Category
    tail: Category
    distance: Ints
    plane_year: Nullable
    seats: Nullable
    due: Ints
    """Scheduled departure."""
    due_at_dest: Ints
    """Scheduled arrival."""
    departed: Ints
    dep_delay: Ints
    landed: Ints
    arr_delay: Ints


def load_flights() -> Flights:
    """Read all 336,776 flights."""
    table = Table("flights.csv.zip", _FLIGHTS)
    date = _dates(table)
    dest, tail = table.category("dest"), table.category("tailnum")
    due = table.minutes("time_hour") + table.ints("minute")
    due_at_dest = _arrival(date, _clock(table.ints("sched_arr_time")), dest, due)
    departed, dep_delay = _happened(due, table.nullable("dep_delay"))
    landed, arr_delay = _happened(due_at_dest, table.nullable("arr_delay"))
    plane_year, seats = _planes(tail)
    flights = Flights(
        date=date,
        minute_of_day=_clock(table.ints("sched_dep_time")),
        carrier=table.category("carrier"),
        number=table.ints("flight"),
        origin=table.category("origin"),
        dest=dest,
        tail=tail,
        distance=table.ints("distance"),
        plane_year=plane_year,
        seats=seats,
        due=due,
        due_at_dest=due_at_dest,
        departed=departed,
        dep_delay=dep_delay,
        landed=landed,
        arr_delay=arr_delay,
    )
    ordered = rows_of(flights, np.argsort(due, kind="stable"))
    del table, flights
    release_memory()
    return ordered


def rows_of(flights: Flights, chosen: Column) -> Flights:
    """Return the chosen rows (indices or a mask) in the order of `chosen`."""
    columns: dict[str, Any] = {
        name: Category(column.names, column.codes[chosen])
        if isinstance(column, Category)
        else column[chosen]
        for name, column in vars(flights).items()
    }
    return replace(flights, **columns)


def _clock(hhmm: Ints) -> Ints:
    """Return the minute of the day of a time written like 1545."""
    return hhmm // 100 * 60 + hhmm % 100


def _dates(table: Table) -> Column:
    months = (table.ints("year") - 1970) * 12 + table.ints("month") - 1
    return months.astype("datetime64[M]").astype("datetime64[D]") + (table.ints("day") - 1)


def _happened(due: Ints, delay: Nullable) -> tuple[Ints, Ints]:
    """Return moment and delay of what was `due`, `NEVER` and 0 where it did not happen."""
    missing = np.ma.getmaskarray(delay)
    minutes = delay.filled(0)
    return np.where(missing, NEVER, due + minutes), minutes


def _arrival(date: Column, clock: Ints, dest: Category, due: Ints) -> Ints:
    """Return the first moments after departure at which the clocks at `dest` show `clock`."""
    airports = Table("airports.csv", {"faa": "text", "tzone": "text"})
    faa, zone = airports.category("faa"), airports.category("tzone")
    zones = dict(zip(faa.text().tolist(), zone.text().tolist(), strict=True)) | _ZONES
    zone_of = np.array([zones[name] for name in dest.names])
    today = date.astype("datetime64[m]") + clock
    arrival = np.empty_like(due)
    for name in set(zone_of.tolist()):
        there = np.flatnonzero((zone_of == name)[dest.codes])
        arrival[there] = utc_minutes(today[there], name)
        tomorrow = there[arrival[there] <= due[there]]
        arrival[tomorrow] = utc_minutes(today[tomorrow] + np.timedelta64(1, "D"), name)
    return arrival


def _planes(tail: Category) -> tuple[Nullable, Nullable]:
    """Return year of building and seats of each aircraft, masked where it is not listed."""
    planes = Table("planes.csv", {"tailnum": "text", "year": "int", "seats": "int"})
    row_of = {name: row for row, name in enumerate(planes.category("tailnum").text().tolist())}
    row = np.array([row_of.get(name, -1) for name in tail.names] + [-1])[tail.codes]
    year, seats = planes.nullable("year")[row], planes.nullable("seats")[row]
    return _without(year, row < 0), _without(seats, row < 0)


def _without(column: Nullable, rows: Column) -> Nullable:
    return np.ma.masked_array(column, mask=rows, keep_mask=True)
