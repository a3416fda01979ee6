"""From what users have to records: JSON, keys, traces, pieces of a size to send."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from driftwheel.errors import Invalid
from driftwheel.messages import Record

Publishable = Mapping[str, Any] | bytes | str | Record
KeyOf = Callable[[Mapping[str, Any]], str | None]

CHUNK_RECORDS = 5000
CHUNK_BYTES = 4_000_000


def record_of(item: Publishable, key: KeyOf | None) -> Record:
    """Write an item as a Kafka record, keyed by its entity, else by its id.

    Raises:
        Invalid: it cannot be written as JSON.

    """
    if isinstance(item, Record):
        return item
    if isinstance(item, Mapping):
        content, value = item, encoded(item, f"the record with id {item.get('id')!r}")
    else:
        value = item.encode() if isinstance(item, str) else item
        content = _object(value)
    name = key(content) if key else content.get("id")
    return Record(value, name.encode() if isinstance(name, str) and name else None)


def _object(value: bytes) -> Mapping[str, Any]:
    """Look into bytes for their id; what cannot be read is for the platform to quarantine."""
    try:
        content = json.loads(value)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def encoded(content: Mapping[str, Any], what: str) -> bytes:
    """Write JSON as Kafka gets it; `what` names it in errors.

    Raises:
        Invalid: it cannot be written.

    """
    try:
        return json.dumps(
            content, default=_plain, allow_nan=False, separators=(",", ":"), ensure_ascii=False
        ).encode()
    except (TypeError, ValueError) as error:
        raise Invalid(f"{what} cannot be written as JSON: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.isoformat()
    if isinstance(value, datetime):
        raise ValueError(f"{value} has no time zone")
    raise TypeError(f"{value!r} is of type {type(value).__name__}")


def chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Cut a stream of records into pieces of bounded number and size."""
    chunk: list[Record] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += len(record.value or b"")
        if len(chunk) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def traced(record: Record, share: float) -> Record:
    """Let a share of the records begin a W3C trace, unless they come with one."""
    if random.random() >= share or any(name == "traceparent" for name, _ in record.headers):
        return record
    traceparent = f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01"
    return replace(record, headers=(*record.headers, ("traceparent", traceparent.encode())))
