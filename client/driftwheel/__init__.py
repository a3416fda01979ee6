"""Driftwheel's client: publish events and labels, consume predictions and outcomes."""

from driftwheel.client import Client
from driftwheel.endpoints import Endpoints
from driftwheel.errors import (
    DriftwheelError,
    Invalid,
    NoAnswer,
    NotAcknowledged,
    NotFound,
    Refused,
    Unreachable,
)
from driftwheel.messages import Answer, Outcome, Prediction, Record, Shadow
from driftwheel.stream import Stream
from driftwheel.sync import SyncClient, SyncStream

__all__ = [
    "Answer",
    "Client",
    "DriftwheelError",
    "Endpoints",
    "Invalid",
    "NoAnswer",
    "NotAcknowledged",
    "NotFound",
    "Outcome",
    "Prediction",
    "Record",
    "Refused",
    "Shadow",
    "Stream",
    "SyncClient",
    "SyncStream",
    "Unreachable",
]
