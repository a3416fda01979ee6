"""Quarantined records: what stands in their headers, and how one goes back where it came from."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftwheel.messages import Record
from driftwheel.stream import Raw

HEADER = "quarantine-"
REPLAYED = "quarantine-replayed"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that validation has refused.

    Attributes:
        place: `partition:offset` in the quarantine topic; names the record in commands.
        topic: the topic it came from, with partition and offset there in `origin`.
        reason: why it was refused.
        fields: at fault.
        schema: digest of the declaration it was judged by.
        time: when it was judged.
        appended_ms: when it was put into quarantine, broker time.
        original: its key, bytes and headers as they were sent.

    """

    place: str
    topic: str
    origin: str
    reason: str
    fields: tuple[str, ...]
    schema: str
    time: str
    appended_ms: int
    original: Record

    def replay(self) -> Record:
        """Make the record that goes back: original bytes and key, marked with its place."""
        headers = (*self.original.headers, (REPLAYED, self.place.encode()))
        return Record(self.original.value, self.original.key, headers)

    def document(self) -> dict[str, Any]:
        """Write for a reader; bytes that are not UTF-8 as base64."""
        return {
            "place": self.place,
            "topic": self.topic,
            "origin": self.origin,
            "time": self.time,
            "reason": self.reason,
            "fields": list(self.fields),
            "schema": self.schema,
            "key": shown(self.original.key),
            "value": shown(self.original.value),
            "headers": {name: shown(value) for name, value in self.original.headers},
        }


def quarantined(raw: Raw) -> Quarantined:
    """Read a record of a quarantine topic."""
    told = {
        name.removeprefix(HEADER): (value or b"").decode("utf-8", "replace")
        for name, value in raw.headers
        if name.startswith(HEADER)
    }
    headers = tuple((n, v or b"") for n, v in raw.headers if not n.startswith(HEADER))
    return Quarantined(
        place=f"{raw.partition}:{raw.offset}",
        topic=told.get("topic", ""),
        origin=f"{told.get('partition', '?')}:{told.get('offset', '?')}",
        reason=told.get("reason", ""),
        fields=tuple(part for part in told.get("fields", "").split(",") if part),
        schema=told.get("schema", ""),
        time=told.get("time", ""),
        appended_ms=raw.timestamp,
        original=Record(raw.value, raw.key, headers),
    )


def replayed_place(raw: Raw) -> str | None:
    """Tell which quarantined record this one was replayed from, if it was."""
    found = next((value for name, value in raw.headers if name == REPLAYED), None)
    return found.decode("ascii", "replace") if found else None


def chosen(
    records: Iterable[Quarantined],
    *,
    places: Sequence[str] = (),
    field: str | None = None,
    reason: str | None = None,
) -> list[Quarantined]:
    """Choose records that fit every filter given.

    Args:
        records: to choose from.
        places: `partition:offset` of those wanted.
        field: that is at fault, or one within it (`features` covers `features.seats`).
        reason: a part of the reason, in any case.

    """
    return [
        record
        for record in records
        if (not places or record.place in places)
        and (field is None or any(f == field or f.startswith(f"{field}.") for f in record.fields))
        and (reason is None or reason.casefold() in record.reason.casefold())
    ]


def grouped(records: Iterable[Quarantined]) -> Mapping[tuple[str, str], int]:
    """Count records by fields and reason, most frequent first."""
    counts: dict[tuple[str, str], int] = {}
    for record in records:
        group = (", ".join(record.fields), record.reason)
        counts[group] = counts.get(group, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def shown(value: bytes | None) -> str | dict[str, str] | None:
    """Write bytes for a reader: as text where they are UTF-8, else as base64."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
