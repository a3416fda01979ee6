"""Delivery: at-least-once transport, effects idempotent by event id. The only way to Kafka."""

from typing import TYPE_CHECKING, Any

from shared.kafka.connection import mend
from shared.kafka.headers import Header, Headers
from shared.kafka.ledger import CrashLedger
from shared.kafka.message import (
    Batch,
    Block,
    Message,
    Parked,
    Position,
    Record,
    Run,
    Told,
    headers_of,
)
from shared.kafka.names import Names
from shared.kafka.producer import Producer, Publisher
from shared.kafka.table import Table
from shared.kafka.telling import Teller, Timer
from shared.kafka.topics import Topics

if TYPE_CHECKING:
    from shared.kafka.consumer import Consumer

__all__ = [
    "Batch",
    "Block",
    "Consumer",
    "CrashLedger",
    "Header",
    "Headers",
    "Message",
    "Names",
    "Parked",
    "Position",
    "Producer",
    "Publisher",
    "Record",
    "Run",
    "Table",
    "Teller",
    "Timer",
    "Told",
    "Topics",
    "headers_of",
]

mend()


def __getattr__(name: str) -> Any:
    """Load the consumer with the first one who wants it: FastStream is six megabytes."""
    if name == "Consumer":
        from shared.kafka.consumer import Consumer

        return Consumer
    raise AttributeError(name)
