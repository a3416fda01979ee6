"""Headers of what goes out: everything that came in, and what is missing or new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Headers = tuple[tuple[str, bytes], ...]

QUARANTINE = "quarantine-"
TRACEPARENT = "traceparent"  # carried on by whoever publishes


def kept(headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """Keep what the user sent: null values as empty, without traces of an earlier quarantine."""
    return tuple(
        (name, value or b"")
        for name, value in headers
        if name != TRACEPARENT and not name.startswith(QUARANTINE)
    )


def completed(headers: Headers, attributes: Mapping[str, str]) -> Headers:
    """Add the attributes that are missing."""
    present = {name for name, _ in headers}
    return headers + written(
        {name: text for name, text in attributes.items() if name not in present}
    )


def written(attributes: Mapping[str, str]) -> Headers:
    """Write attributes as headers."""
    return tuple((name, text.encode("utf-8", "replace")) for name, text in attributes.items())
