"""Stretches of event time, each from its start until before its end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

Span = tuple[datetime, datetime]


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Join what overlaps or touches; empty spans vanish; oldest first."""
    joined: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return tuple(joined)


def clipped(spans: Iterable[Span], start: datetime, end: datetime) -> tuple[Span, ...]:
    """Keep what lies between two times."""
    cut = ((max(start, first), min(end, last)) for first, last in spans)
    return tuple((first, last) for first, last in cut if first < last)
