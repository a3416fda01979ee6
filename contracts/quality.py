"""What validation measures."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from contracts.base import Event, Topic, Window


class QualityMeasured(Event):
    """What one partition of a user's topic held in one window: good, bad, twice.

    A later message for the same stream, partition and window replaces the earlier one.

    Produced by validation. Consumed by monitor, client.
    """

    stream: Literal["events", "labels"]
    partition: int = Field(ge=0)
    through: int = Field(ge=0, description="Highest offset counted.")
    window: Window
    received: int = Field(ge=0)
    valid: int = Field(ge=0)
    duplicates: int = Field(ge=0)
    quarantined: int = Field(ge=0)
    reasons: dict[str, int] = Field(description="Quarantined records by field and rule.")
    nulls: dict[str, int] = Field(description="Missing values by feature, valid events only.")


QUALITY_MEASURED = Topic(
    "quality.measured.v1",
    QualityMeasured,
    producer="validation",
    consumers=("monitor", "client"),
    retention=timedelta(days=90),
)
