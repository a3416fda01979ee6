"""Headers of what goes out: everything that came in, and what is missing or new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Header: TypeAlias = tuple[str, bytes]
Given: TypeAlias = Sequence[tuple[str, bytes | None]]

QUARANTINE = "quarantine-"
TRACEPARENT = "traceparent"  # carried on by whoever publishes


@dataclass(frozen=True, slots=True)
class Envelope:
    """The CloudEvents attributes of all records of one topic.

    Attributes:
        fixed: those that are the same in all of them.

    """

    fixed: tuple[Header, ...]

    @classmethod
    def of(cls, kind: str) -> Envelope:
        """Prepare the envelope of a topic, named without its prefix."""
        fixed = {
            "ce_specversion": "1.0",
            "ce_source": "driftwheel/validation",
            "ce_type": kind,
            "content-type": "application/json",
        }
        return cls(written(fixed))

    def around(
        self, ids: Iterable[bytes], times: Iterable[bytes], given: Iterable[Given]
    ) -> list[list[Header]]:
        """Write the headers of n records: their own, and the attributes that are missing.

        Args:
            ids: texts.
            times: texts.
            given: headers as they came; most records have none.

        """
        fixed = self.fixed
        return [
            _completed(own, [*fixed, ("ce_id", event_id), ("ce_time", time)])
            if own
            else [*fixed, ("ce_id", event_id), ("ce_time", time)]
            for event_id, time, own in zip(ids, times, given, strict=True)
        ]


def _completed(own: Given, attributes: Sequence[Header]) -> list[Header]:
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
