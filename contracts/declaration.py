"""The declaration: a use case in one YAML file."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from contracts.base import ModelName, Share, Strict

FeatureName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
Category = Annotated[str, Field(min_length=1, max_length=200)]

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(value: Any) -> timedelta:
    """Read a duration such as 90s, 30m, 36h, 7d or 8w.

    Raises:
        ValueError: any other spelling, or zero.

    """
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d{1,9})([smhdw])", value) if isinstance(value, str) else None
    if match is None or match[1].strip("0") == "":
        raise ValueError(f"{value!r} is no duration; write a number and a unit, such as 36h or 7d")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


def spelled(value: timedelta) -> str:
    """Write a duration in the largest unit that divides it."""
    seconds = int(value.total_seconds())
    unit = next(unit for unit in "wdhms" if seconds % UNITS[unit] == 0)
    return f"{seconds // UNITS[unit]}{unit}"


def windows_per_alarm(value: Any) -> int:
    """Read the promise "1 per 1000 windows" as 1000.

    Raises:
        ValueError: any other spelling, or fewer than 10 windows.

    """
    match = re.fullmatch(r"1 per (\d{1,9}) windows", value) if isinstance(value, str) else None
    number = int(match[1]) if match else value
    if not isinstance(number, int) or isinstance(number, bool) or number < 10:
        raise ValueError(f"{value!r} is no promise; write it as: 1 per 1000 windows (at least 10)")
    return number


Duration = Annotated[
    timedelta,
    BeforeValidator(duration, json_schema_input_type=str),
    PlainSerializer(spelled, return_type=str),
]
FalseAlarms = Annotated[
    int,
    BeforeValidator(windows_per_alarm, json_schema_input_type=str),
    PlainSerializer(lambda n: f"1 per {n} windows", return_type=str),
]


class Feature(Strict):
    """One input of the model: its type and what values are allowed."""

    type: Literal["int", "float", "bool", "category"]
    min: float | None = None
    max: float | None = None
    categories: tuple[Category, ...] | None = Field(
        None,
        min_length=1,
        max_length=10_000,
        description="Closes the set; without it any text is allowed.",
    )
    nullable: bool = False
    unit: str | None = Field(None, max_length=100)

    @model_validator(mode="after")
    def bounds_fit_the_type(self) -> Self:
        """Refuse bounds on categories, categories on numbers, and empty ranges."""
        if self.type in ("category", "bool") and (self.min is not None or self.max is not None):
            raise ValueError(f"min and max are for int and float, not for {self.type}")
        if self.type != "category" and self.categories is not None:
            raise ValueError(f"categories are for type category, not for {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        if self.categories is not None and len(set(self.categories)) < len(self.categories):
            raise ValueError("a category is listed twice")
        return self


class Label(Strict):
    """What happened in the end, and how long to wait for it."""

    name: FeatureName
    horizon: Duration = Field(
        description="Event time until a prediction without a label is given up."
    )
    lateness: Duration = Field(
        timedelta(minutes=30), description="Allowed disorder of the streams."
    )
    missing: Literal["drop", "negative"] = "drop"
    grace: Duration = Field(
        timedelta(days=1),
        description="Wall time that a later label can still correct an outcome; 150 bytes of Redis "
        "per prediction of that time.",
    )

    @property
    def waits(self) -> timedelta:
        """How long a prediction is of use to those that join it with its label."""
        return self.horizon + self.lateness + self.grace


class Cost(Strict):
    """What a wrong decision costs, in one unit of the user's choice."""

    false_negative: float = Field(1.0, ge=0)
    false_positive: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def something_costs(self) -> Self:
        """Refuse a table in which nothing costs anything."""
        if self.false_negative + self.false_positive <= 0:
            raise ValueError("one of false_negative and false_positive must be above 0")
        return self


class Drift(Strict):
    """How drift is looked for."""

    false_alarms: FalseAlarms = 1000
    window: Duration = timedelta(days=1)


class Retraining(Strict):
    """When a new model is trained."""

    max_age: Duration = Field(timedelta(days=56), description="Retrain when the champion is older.")
    cooldown: Duration = Field(timedelta(days=7), description="Event time between two runs.")
    min_labels: int = Field(5000, ge=100, description="Matured labels that a run needs.")
    volume: int | None = Field(
        None, ge=100, description="Retrain after so many new matured labels."
    )


class Gates(Strict):
    """What a candidate must show on pinned rows before it may replace the champion."""

    confidence: float = Field(0.95, ge=0.5, le=0.999)
    slice_rows: int = Field(500, ge=30, description="Smaller slices are not judged.")
    slice_margin: Share = Field(0.05, description="Share of the champion's loss a slice may lose.")


class Spec(Strict):
    """The use case itself; only task, features and label are required."""

    task: Literal["binary", "multiclass", "regression"]
    classes: tuple[Category, ...] | None = Field(None, min_length=2, max_length=1000)
    features: dict[FeatureName, Feature] = Field(min_length=1, max_length=2000)
    label: Label
    prior: float | tuple[float, ...] | None = Field(None, description="What version 0.0.0 answers.")
    metric: Literal["log_loss", "brier", "mae", "mse"] | None = None
    cost: Cost | None = None
    slices: tuple[FeatureName, ...] = Field((), max_length=50)
    drift: Drift = Drift()
    retraining: Retraining = Retraining()
    gates: Gates = Gates()

    @field_validator("features")
    @classmethod
    def names_are_free(cls, features: dict[str, Feature]) -> dict[str, Feature]:
        """Refuse names that differ by case alone: columns of tables do not tell them apart."""
        folded = [name.casefold() for name in features]
        twice = sorted({name for name in features if folded.count(name.casefold()) > 1})
        if twice:
            raise ValueError(f"duplicate feature names (case does not count): {', '.join(twice)}")
        return features

    @model_validator(mode="after")
    def defaults(self) -> Self:
        """Fill in what follows from the task: the prior, the metric."""
        if self.metric is None:
            object.__setattr__(self, "metric", METRICS[self.task][0])
        if self.prior is None:
            classes = self.classes or ("",)
            shares = tuple([1.0 / len(classes)] * len(classes))
            prior = {"binary": 0.5, "regression": 0.0, "multiclass": shares}[self.task]
            object.__setattr__(self, "prior", prior)
        return self

    @model_validator(mode="after")
    def parts_fit(self) -> Self:
        """Refuse what cannot be served or measured, naming the field to change."""
        if (self.task == "multiclass") != (self.classes is not None):
            raise ValueError("classes are required for task multiclass, and for no other task")
        if self.metric not in METRICS[self.task]:
            allowed = " or ".join(METRICS[self.task])
            raise ValueError(f"metric {self.metric} does not fit task {self.task}; use {allowed}")
        if self.task != "binary" and self.cost is not None:
            raise ValueError(f"cost is for task binary, not for {self.task}")
        if self.task != "binary" and self.label.missing == "negative":
            raise ValueError("label.missing: negative is for task binary; use drop")
        if self.label.name in self.features:
            raise ValueError(
                f"the label {self.label.name!r} is also a feature: that leaks the answer"
            )
        self._prior_fits()
        self._slices_fit()
        return self

    def _prior_fits(self) -> None:
        if self.task == "multiclass":
            prior = self.prior if isinstance(self.prior, tuple) else ()
            if (
                len(prior) != len(self.classes or ())
                or abs(sum(prior) - 1) > 1e-6
                or min(prior) <= 0
            ):
                raise ValueError("prior must be one positive share per class, summing to 1")
        elif not isinstance(self.prior, float):
            raise ValueError(f"prior must be one number for task {self.task}")
        elif self.task == "binary" and not 0 < self.prior < 1:
            raise ValueError("prior must lie between 0 and 1 for task binary")

    def _slices_fit(self) -> None:
        for name in self.slices:
            if name not in self.features:
                raise ValueError(
                    f"slices: {name!r} is no feature; features: {', '.join(self.features)}"
                )
            if self.features[name].type not in ("category", "bool"):
                raise ValueError(f"slices: {name!r} must be of type category or bool")


METRICS = {
    "binary": ("log_loss", "brier"),
    "multiclass": ("log_loss",),
    "regression": ("mae", "mse"),
}


class Metadata(Strict):
    """Who the model is."""

    name: ModelName
    description: str = Field("", max_length=2000)


class Declaration(Strict):
    """A model as its owner declares it."""

    apiVersion: Literal["driftwheel/v1"]  # noqa: N815  the spelling of the field
    kind: Literal["Model"]
    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        """The model's name."""
        return self.metadata.name

    @property
    def threshold(self) -> float:
        """The score from which a binary decision is true: false_positive / (both costs)."""
        cost = self.spec.cost or Cost()
        return cost.false_positive / (cost.false_positive + cost.false_negative)

    def digest(self) -> str:
        """Name the content: SHA-256 of its JSON with all defaults in force."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
