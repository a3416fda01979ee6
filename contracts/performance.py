"""What monitor measures on matured outcomes, and the drift it finds."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.base import Event, Finite, Reason, Topic, Value, Version, Window


class Tally(Value):
    """Additive counts over outcomes; merging two tallies is adding them."""

    n: int = Field(ge=0, description="Outcomes.")
    labelled: int = Field(ge=0, description="Of these with a label; the sums below are over these.")
    loss: Finite = 0.0
    loss_squared: Finite = 0.0
    predicted: Finite = Field(0.0, description="Sum of scores; multiclass: of the top probability.")
    observed: Finite = Field(0.0, description="Sum of labels; multiclass: of correct decisions.")
    variance: Finite = Field(
        0.0, description="Binary: sum of p (1 - p); else of squared residuals."
    )
    cost: Finite = 0.0


class VersionTally(Value):
    """The tallies of one model version, whole and by slice."""

    version: Version
    total: Tally
    slices: dict[str, dict[str, Tally]] = Field(description="feature -> value -> tally")


class WindowCounted(Event):
    """One partition's part of a closed window; a higher `through` replaces a lower one.

    Produced by monitor. Consumed by monitor.
    """

    window: Window
    partition: int = Field(ge=0)
    partitions: int = Field(ge=1, description="How many parts the window has in all.")
    through: int = Field(ge=-1, description="Highest offset of the predictions counted; -1: none.")
    tallies: tuple[VersionTally, ...]


class SlicePerformance(Value):
    """One slice of a window."""

    feature: str
    value: str
    labelled: int
    loss: Finite
    predicted: Finite
    observed: Finite


class PerformanceMeasured(Event):
    """How one version did in one window of matured outcomes.

    Produced by monitor. Consumed by client.
    """

    version: Version
    window: Window
    n: int = Field(ge=0)
    labelled: int = Field(ge=0)
    metric: str
    loss: Finite | None = Field(description="Mean loss; None without labels.")
    predicted: Finite | None = Field(description="Mean score.")
    observed: Finite | None = Field(description="Mean label.")
    cost: Finite | None = Field(description="Mean cost per labelled decision.")
    slices: tuple[SlicePerformance, ...] = Field(max_length=1000)


class DriftDetected(Event):
    """Matured outcomes have left the tolerance of the champion's baseline.

    Produced by monitor. Consumed by training, client.
    """

    version: Version
    window: Window = Field(description="The window that gave the alarm.")
    detector: Literal["loss", "calibration"]
    evidence: Finite = Field(description="The detector's statistic.")
    level: Finite = Field(description="The alarm level it crossed.")
    since: AwareDatetime = Field(description="Start of the evidence behind the alarm.")
    blamed: tuple[str, ...] = Field(max_length=64, description="Slices that moved most.")
    summary: Reason


WINDOW_COUNTED = Topic(
    "window.counted.v1", WindowCounted, producer="monitor", consumers=("monitor",)
)
PERFORMANCE_MEASURED = Topic(
    "performance.measured.v1",
    PerformanceMeasured,
    producer="monitor",
    consumers=("client",),
    retention=timedelta(days=400),
)
DRIFT_DETECTED = Topic(
    "drift.detected.v1",
    DriftDetected,
    producer="monitor",
    consumers=("training", "client"),
    retention=timedelta(days=400),
)
