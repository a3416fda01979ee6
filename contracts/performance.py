"""What monitor counts and measures, and the drift it finds."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.base import Digest, Event, Finite, Reason, Share, Topic, Value, Version, Window


class VersionCounts(Value):
    """How the predictions of one model version fall into the cells of its baseline."""

    version: Version
    baseline: Digest | None = Field(description="Whose cells these are; None: only n is counted.")
    n: int = Field(ge=0, description="Predictions of the window's time.")
    late: int = Field(ge=0, description="Predictions of earlier windows that came in this one.")
    counts: tuple[int, ...] = Field(max_length=1_000_000, description="Per cell, features first.")


class PredictionsCounted(Event):
    """One partition's part of a window at the head; a higher `through` replaces a lower one.

    Produced by monitor. Consumed by monitor.
    """

    window: Window
    partition: int = Field(ge=0)
    partitions: int = Field(ge=1, description="How many parts the window has in all.")
    through: int = Field(ge=-1, description="Highest offset of the predictions counted; -1: none.")
    versions: tuple[VersionCounts, ...] = Field(max_length=1000)


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
    losses: tuple[int, ...] = Field((), max_length=1000, description="Losses by baseline cell.")


class VersionTally(Value):
    """The tallies of one model version, whole and by slice."""

    version: Version
    total: Tally
    slices: dict[str, dict[str, Tally]] = Field(description="feature -> value -> tally")
    residuals: tuple[int, ...] = Field(
        (), max_length=100_000, description="Residuals by baseline cell."
    )
    baseline: Digest | None = Field(None, description="Whose cells; None: only sums are kept.")


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


class Contribution(Value):
    """What one feature, score or slice has added to the evidence of a detector."""

    what: str = Field(
        max_length=300, description='Such as "feature:carrier", "score" or "slice:origin=EWR".'
    )
    aspect: str = Field(
        "", max_length=300, description="Of it: location, dispersion, a category, mean, share."
    )
    share: Share = Field(description="Of the evidence.")
    evidence: Finite = Field(ge=0)
    direction: Literal["up", "down", "shape"]
    moved: Finite = Field(description="Standard deviations of a number, points of a share.")


class DriftDetected(Event):
    """The evidence that the champion's world has left its tolerance is above the alarm level.

    Produced by monitor. Consumed by training, client.
    """

    version: Version
    window: Window = Field(description="The window that gave the alarm.")
    detector: Literal["inputs", "impact", "loss", "calibration", "slices"]
    evidence: Finite = Field(description="D of the e-detector.")
    level: Finite = Field(description="The alarm level it crossed: N of this detector.")
    since: AwareDatetime = Field(description="Change point: start of the evidence.")
    blamed: tuple[str, ...] = Field(max_length=64, description="What has moved for certain.")
    summary: Reason
    promise: int = Field(
        1000, ge=1, description="N of the model: at most one false alarm in so many windows."
    )
    contributions: tuple[Contribution, ...] = Field((), max_length=1000)
    windows: int = Field(1, ge=1, description="How many windows the evidence is from.")
    recommendation: Literal["retrain", "inform"] = "retrain"


class Shown(Value):
    """How far one feature or the score has moved, for display: no cut-off has an error rate."""

    psi: Finite = Field(description="Population stability index, nats.")
    js: Finite = Field(description="Jensen-Shannon divergence, nats.")
    missing: Share
    unseen: Share = Field(description="Of categories or values that the reference does not have.")


class Estimate(Value):
    """What the loss may be, by the scores alone, as long as there are no labels."""

    loss: Finite | None
    valid: bool
    reasons: tuple[Reason, ...] = Field((), max_length=100, description="Why it is not valid.")


class DriftMeasured(Event):
    """How far one window of the champion's predictions lies from its baseline, for display.

    Produced by monitor. Consumed by client.
    """

    version: Version
    window: Window
    n: int = Field(ge=0)
    evidence: dict[str, Finite] = Field(description="D of each detector after the window.")
    level: Finite = Field(description="The alarm level of each.")
    features: dict[str, Shown]
    estimate: Estimate
    unmonitorable: tuple[Reason, ...] = Field(
        (), max_length=1000, description="Features that vary too much by themselves, and how much."
    )


PREDICTIONS_COUNTED = Topic(
    "predictions.counted.v1", PredictionsCounted, producer="monitor", consumers=("monitor",)
)
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
DRIFT_MEASURED = Topic(
    "drift.measured.v1",
    DriftMeasured,
    producer="monitor",
    consumers=("client",),
    retention=timedelta(days=400),
)
