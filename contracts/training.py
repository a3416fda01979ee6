"""Requests to train, the decision, and what a run brought."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.base import Digest, Event, Finite, Reason, Topic, Value, Version, Window


class TrainingRequested(Event):
    """Somebody with the right to it asks for a new model.

    Produced by registry. Consumed by training.
    """

    actor: str = Field(max_length=200)
    reason: Reason


class TrainingDecided(Event):
    """A trigger was weighed: a run starts, or it does not and why.

    Produced by training. Consumed by training, client.
    """

    decision: Literal["started", "suppressed"]
    trigger: Literal["drift", "age", "volume", "request"]
    run_id: str = Field(max_length=36)
    labels: int = Field(ge=0, description="Matured labels at hand.")
    new_labels: int = Field(ge=0, description="Of these, new since the last run.")
    dataset_version: int | None = Field(description="Version of the offline store that is pinned.")
    reason: Reason
    since: AwareDatetime | None = Field(
        None, description="Change point of the drift that waits for an answer."
    )
    excluded: tuple[Window, ...] = Field(
        (), max_length=1000, description="Event times under a data-quality alert: not learned from."
    )


class Interval(Value):
    """A difference with its confidence interval."""

    mean: Finite
    low: Finite
    high: Finite
    confidence: Finite


class SliceEvaluation(Value):
    """Candidate against champion on one slice of the pinned rows."""

    feature: str
    value: str
    rows: int
    candidate_loss: Finite
    champion_loss: Finite
    difference: Interval = Field(description="Candidate minus champion, per row.")


class Evaluation(Value):
    """Candidate and champion on the same pinned rows, which neither was fitted on."""

    metric: str
    rows: int = Field(ge=1)
    start: AwareDatetime
    end: AwareDatetime
    digest: Digest = Field(description="Of the pinned rows' ids and labels, in canonical order.")
    candidate_loss: Finite
    champion_version: Version
    champion_loss: Finite
    prior_loss: Finite
    difference: Interval = Field(description="Candidate minus champion, per row.")
    predicted: Finite = Field(description="Mean score of the candidate.")
    observed: Finite = Field(description="Mean label.")
    loss_sd: Finite = Field(description="Standard deviation of the candidate's loss per row.")
    slices: tuple[SliceEvaluation, ...] = Field(max_length=1000)


class Trial(Value):
    """One model that was tried, on the rows kept for selection."""

    name: str = Field(max_length=100, description="prior, linear or lightgbm, and its window.")
    rows: int
    loss: Finite
    seconds: Finite


class Dataset(Value):
    """What a run was given; enough to fetch the same rows again."""

    uri: str
    version: int
    rows: int
    start: AwareDatetime
    end: AwareDatetime
    digest: Digest


class ModelTrained(Event):
    """A run has ended, with a candidate or with the reason why there is none.

    Produced by training. Consumed by registry, training, client.
    """

    run_id: str = Field(max_length=36)
    status: Literal["trained", "failed"]
    trigger: Literal["drift", "age", "volume", "request"]
    declaration: Digest
    artifact: Digest | None = Field(description="Tree digest of the model's files.")
    algorithm: str | None = Field(max_length=100)
    dataset: Dataset | None
    trials: tuple[Trial, ...] = Field(max_length=1000)
    evaluation: Evaluation | None
    seconds: Finite
    reason: Reason
    baseline: Digest | None = Field(
        None, description="Tree digest of what monitor compares with; None: the reason says why."
    )


TRAINING_REQUESTED = Topic(
    "training.requested.v1", TrainingRequested, producer="registry", consumers=("training",)
)
TRAINING_DECIDED = Topic(
    "training.decided.v1",
    TrainingDecided,
    producer="training",
    consumers=("training", "client"),
    retention=None,
)
MODEL_TRAINED = Topic(
    "model.trained.v1",
    ModelTrained,
    producer="training",
    consumers=("registry", "training", "client"),
    retention=timedelta(days=400),
)
