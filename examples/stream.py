"""A table of events and late labels, told day by day in the order in which it happened."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import numpy as np

from examples.source import Column, Ints, utc_minutes

NEVER = 2**31 - 1
"""The minute of what does not happen: later than every other."""

ZONE = "America/New_York"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Message(NamedTuple):
    """One record as it goes to the topic `kind` of its model."""

    time: datetime
    key: bytes
    value: bytes
    kind: Literal["events", "labels"]


@dataclass(frozen=True)
class Day:
    """What happens on one New York calendar day, events and labels each in the order of time."""

    date: date
    events: list[Message]
    labels: list[Message]

    def merged(self) -> list[Message]:
        """Return all messages in the order of time; within a minute the events come first."""
        return sorted([*self.events, *self.labels], key=attrgetter("time"))


@dataclass(frozen=True)
class Rows:
    """One row per event, in the order of `event_minute`.

    Args:
        id_parts: columns that make the id, joined by a slash.
        event_minute: when the event is told, in minutes since 1970 UTC.
        features: name to column; masked entries are told as null.
        label_minute: when the label is told, `NEVER` where there is none.
        label: the label, of any value where there is none.
    """

    id_parts: tuple[Column, ...]
    event_minute: Ints
    features: Mapping[str, Column]
    label_minute: Ints
    label: Column

    def ids(self, chosen: Ints) -> list[str]:
        """Return the ids of the chosen rows."""
        parts = zip(*(part[chosen].tolist() for part in self.id_parts), strict=True)
        return ["/".join(map(str, of_row)) for of_row in parts]

    def events(self, chosen: Ints) -> list[Message]:
        """Encode the events of the chosen rows."""
        columns = [column[chosen].tolist() for column in self.features.values()]
        named = (dict(zip(self.features, row, strict=True)) for row in zip(*columns, strict=True))
        minutes = self.event_minute[chosen].tolist()
        return [
            _message("events", minute, of_id, {"features": features})
            for minute, of_id, features in zip(minutes, self.ids(chosen), named, strict=True)
        ]

    def labels(self, chosen: Ints) -> list[Message]:
        """Encode the labels of the chosen rows."""
        minutes, values = self.label_minute[chosen].tolist(), self.label[chosen].tolist()
        return [
            _message("labels", minute, of_id, {"value": value})
            for minute, of_id, value in zip(minutes, self.ids(chosen), values, strict=True)
        ]


def replayed(rows: Rows, start: date, end: date) -> Iterator[Day]:
    """Tell the New York days from `start` to `end`, both included, one at a time.

    A label is told on the day on which it becomes known, and only if its event was told too. Labels
    that become known after `end` are left out, as they are when a stream is cut.

    Raises:
        ValueError: `start` lies after `end`.
    """
    if start > end:
        raise ValueError(f"the replay would end on {end}, before its start on {start}")
    dates = np.arange(np.datetime64(start), np.datetime64(end) + 2)
    midnights = utc_minutes(dates, ZONE)
    event_bounds = np.searchsorted(rows.event_minute, midnights)

    told = np.arange(event_bounds[0], event_bounds[-1])
    arrivals = told[np.argsort(rows.label_minute[told], kind="stable")]
    label_bounds = np.searchsorted(rows.label_minute[arrivals], midnights)

    for index, day in enumerate(dates[:-1].tolist()):
        today = np.arange(event_bounds[index], event_bounds[index + 1])
        known_today = arrivals[label_bounds[index] : label_bounds[index + 1]]
        yield Day(day, rows.events(today), rows.labels(known_today))


def _message(
    kind: Literal["events", "labels"], minute: int, of_id: str, content: dict[str, Any]
) -> Message:
    time, text = _moment(minute)
    value = _encode({"id": of_id, "time": text, **content})
    return Message(time, of_id.encode(), value.encode(), kind)


@lru_cache(maxsize=4096)
def _moment(minute: int) -> tuple[datetime, str]:
    time = _EPOCH + timedelta(minutes=minute)
    return time, time.strftime("%Y-%m-%dT%H:%M:%SZ")
