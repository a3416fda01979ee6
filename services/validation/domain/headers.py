"""Headers of what goes out: everything that came in, and what is missing or new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Header: TypeAlias = tuple[str, bytes]
Given: TypeAlias = Sequence[tuple[str, bytes | None]]

QUARANTINE = "quarantine-"
TRACEPARENT = "traceparent"  # carried on by whoever publishes


def envelope(kind: str) -> tuple[Header, ...]:
    """Write the CloudEvents attributes that all records of a topic share; `kind` is its name."""
    fixed = {
        "ce_specversion": "1.0",
        "ce_source": "driftwheel/validation",
        "ce_type": kind,
        "content-type": "application/json",
    }
    return written(fixed)


def completed(own: Given, attributes: Sequence[Header]) -> list[Header]:
    """Add to a record's own headers the attributes that are missing."""
    present = {name for name, _ in own}
    return [*kept(own), *(header for header in attributes if header[0] not in present)]


def kept(headers: Given) -> tuple[Header, ...]:
    """Keep what the user sent: null values as empty, without traces of an earlier quarantine."""
    return tuple(
        (name, value or b"")
        for name, value in headers
        if name != TRACEPARENT and not name.startswith(QUARANTINE)
    )


def written(attributes: Mapping[str, str]) -> tuple[Header, ...]:
    """Write attributes as headers."""
    return tuple((name, text.encode("utf-8", "replace")) for name, text in attributes.items())
