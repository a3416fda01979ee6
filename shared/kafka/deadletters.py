"""Dead letters: the original bytes and key, and in headers where from and why."""

from __future__ import annotations

from shared.clock import wall_clock
from shared.kafka.message import Message, Parked
from shared.kafka.names import DEAD_LETTERS

LONGEST_REASON = 2000


def dead_letter(parked: Parked) -> Message:
    """Write the dead letter of a parked record."""
    record = parked.record
    about = {
        "dlq-topic": record.topic,
        "dlq-partition": record.partition,
        "dlq-offset": record.offset,
        "dlq-class": parked.fault,
        "dlq-reason": parked.reason[:LONGEST_REASON],
        "dlq-time": wall_clock().isoformat(),
    }
    headers = tuple((name, str(value).encode()) for name, value in about.items())
    original = tuple((name, value if value is not None else b"") for name, value in record.headers)
    return Message(record.topic + DEAD_LETTERS, record.key, record.value, (*original, *headers))
