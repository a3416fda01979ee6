"""The features of one flight the slow way: plain loops over raw rows that were known by then."""

import csv
import io
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from examples.source import data_folder

NEW_YORK = ZoneInfo("America/New_York")
MISSING_ZONES = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}
READINGS = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def clock(hhmm: str) -> time:
    return time(int(hhmm) // 100 % 24, int(hhmm) % 100)


def on_clock(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True)
class Flight:
    """One raw row; a property that is None did not happen."""

    raw: dict[str, str]
    zone: ZoneInfo

    @cached_property
    def id(self) -> str:
        return f"{self.day}/{self.raw['carrier']}/{self.raw['flight']}/{self.raw['origin']}"

    @cached_property
    def day(self) -> date:
        return date(*(int(self.raw[part]) for part in ("year", "month", "day")))

    @cached_property
    def due(self) -> datetime:
        return on_clock(self.day, clock(self.raw["sched_dep_time"]), NEW_YORK)

    @cached_property
    def due_at_dest(self) -> datetime:
        at = clock(self.raw["sched_arr_time"])
        same_day = on_clock(self.day, at, self.zone)
        if same_day > self.due:
            return same_day
        return on_clock(self.day + timedelta(days=1), at, self.zone)

    @cached_property
    def departed(self) -> datetime | None:
        delay = self.raw["dep_delay"]
        return None if delay == "NA" else self.due + minutes(int(delay))

    @cached_property
    def landed(self) -> datetime | None:
        delay = self.raw["arr_delay"]
        return None if delay == "NA" else self.due_at_dest + minutes(int(delay))


class Reference:
    """All raw rows, and what each flight's features must be."""

    def __init__(self) -> None:
        self.zones = {row["faa"]: row["tzone"] for row in named("airports.csv")} | MISSING_ZONES
        self.planes = {row["tailnum"]: row for row in named("planes.csv")}
        self.weather = {(row["origin"], row["time_hour"]): row for row in named("weather.csv")}
        self.header, *lines = read("flights.csv.zip")
        self.lines: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
        for line in lines:
            self.lines[tuple(line[:3])].append(line)
        self.days: dict[date, list[Flight]] = {}

    def on(self, day: date) -> list[Flight]:
        if day not in self.days:
            lines = self.lines.get((str(day.year), str(day.month), str(day.day)), [])
            raws = [dict(zip(self.header, line, strict=True)) for line in lines]
            self.days[day] = [Flight(raw, ZoneInfo(self.zones[raw["dest"]])) for raw in raws]
        return self.days[day]

    def find(self, flight_id: str) -> Flight:
        day = date.fromisoformat(flight_id[:10])
        return next(flight for flight in self.on(day) if flight.id == flight_id)

    def around(self, flight: Flight) -> Iterator[Flight]:
        """Flights scheduled close enough to matter; the longest delay is below two days."""
        for back in range(9, -2, -1):
            yield from self.on(flight.day - timedelta(days=back))

    def features(self, flight: Flight) -> dict[str, Any]:
        now = flight.due - minutes(60)
        others = list(self.around(flight))
        raw = flight.raw
        left = [o for o in others if o.departed and o.departed < now]
        landed = [o for o in others if o.landed and o.landed < now]

        def at_origin(flights: Iterable[Flight]) -> list[Flight]:
            return [o for o in flights if o.raw["origin"] == raw["origin"]]

        def of_carrier(flights: Iterable[Flight]) -> list[Flight]:
            return [o for o in flights if o.raw["carrier"] == raw["carrier"]]

        def left_since(flights: Iterable[Flight], hours: int) -> list[int]:
            since = now - timedelta(hours=hours)
            return [
                min(max(int(o.raw["dep_delay"]), -15), 240)
                for o in flights
                if o.departed and o.departed >= since
            ]

        to_dest = [
            min(max(int(o.raw["arr_delay"]), -30), 240)
            for o in landed
            if o.raw["dest"] == raw["dest"] and o.landed and o.landed >= now - timedelta(hours=6)
        ]
        week = [
            int(o.raw["arr_delay"]) > 15
            for o in of_carrier(at_origin(landed))
            if o.landed and o.landed >= now - timedelta(days=7)
        ]
        due_lately = [o for o in at_origin(others) if now - timedelta(hours=2) <= o.due < now]
        waiting = [not (o.departed and o.departed < now) for o in due_lately]
        close = [o for o in at_origin(others) if abs(o.due - flight.due) <= minutes(30)]
        return {
            **self.of_schedule(flight),
            "scheduled_load_1h": len(close),
            **self.of_weather(raw["origin"], now),
            "origin_dep_delay_1h": mean(left_since(at_origin(left), 1)),
            "carrier_dep_delay_3h": mean(left_since(of_carrier(left), 3)),
            "dest_arr_delay_6h": mean(to_dest),
            "carrier_origin_late_rate_7d": mean(week),
            "origin_waiting_share_2h": mean(waiting),
            "tail_prev_dep_delay": self.previous_delay(flight, left),
        }

    def of_schedule(self, flight: Flight) -> dict[str, Any]:
        raw, at = flight.raw, clock(flight.raw["sched_dep_time"])
        plane = self.planes.get(raw["tailnum"], {"year": "NA", "seats": "NA"})
        return {
            "carrier": raw["carrier"],
            "origin": raw["origin"],
            "dest": raw["dest"],
            "minute_of_day": at.hour * 60 + at.minute,
            "dow": flight.day.weekday(),
            "distance": int(raw["distance"]),
            "sched_elapsed": (flight.due_at_dest - flight.due) // minutes(1),
            "plane_age": None if plane["year"] == "NA" else 2013 - int(plane["year"]),
            "seats": None if plane["seats"] == "NA" else int(plane["seats"]),
        }

    def of_weather(self, origin: str, now: datetime) -> dict[str, Any]:
        hour = now.replace(minute=0)
        while (hour := hour - timedelta(hours=1)) + timedelta(hours=4) >= now:
            row = self.weather.get((origin, f"{hour:%Y-%m-%dT%H:%M:%SZ}"))
            if row is not None:
                return {name: None if row[name] == "NA" else float(row[name]) for name in READINGS}
        return dict.fromkeys(READINGS)

    def previous_delay(self, flight: Flight, left: list[Flight]) -> int | None:
        if flight.raw["tailnum"] == "NA":
            return None
        local = flight.due.astimezone(NEW_YORK)
        day = flight.day if local.hour >= 4 else flight.day - timedelta(days=1)
        dawn = on_clock(day, time(4), NEW_YORK)
        own = [o for o in left if o.raw["tailnum"] == flight.raw["tailnum"]]
        today = [o for o in own if o.departed and o.departed >= dawn]
        if not today:
            return None
        last = max(today, key=lambda o: (o.departed, o.due))
        return int(last.raw["dep_delay"])


def mean(values: list[Any]) -> float | None:
    return sum(values) / len(values) if values else None


def named(name: str) -> Iterator[dict[str, str]]:
    header, *lines = read(name)
    return (dict(zip(header, line, strict=True)) for line in lines)


def read(name: str) -> Iterator[list[str]]:
    path = data_folder() / name
    if path.suffix != ".zip":
        with path.open(encoding="utf-8") as file:
            yield from csv.reader(file)
        return
    with zipfile.ZipFile(path) as packed, packed.open(path.stem) as file:
        yield from csv.reader(io.TextIOWrapper(file, encoding="utf-8"))
