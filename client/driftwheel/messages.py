"""The client's own copy of the few fields it needs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Score = float | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record to publish as it is."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Shadow:
    """What the model in the shadow would have answered."""

    version: str
    score: Score


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model version answered to one event.

    Attributes:
        score: a probability, a value, or one probability per class.
        decision: true or false, the class, or None for a regression.
        features: as they were when it decided.
        role: whether the deciding version was the champion or on trial.

    """

    id: str
    time: datetime
    model: str
    version: str
    score: Score
    decision: bool | str | None
    features: Mapping[str, Any]
    plan: str
    role: Literal["stable", "candidate"]
    shadow: Shadow | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A prediction and what came of it.

    Attributes:
        status: labelled; unlabelled when the horizon passed without a label; corrected by a
            later label.
        loss: in the model's metric; None without a label.

    """

    id: str
    time: datetime
    model: str
    version: str
    score: Score
    decision: bool | str | None
    features: Mapping[str, Any]
    label: bool | float | str | None
    label_time: datetime | None
    status: Literal["labelled", "unlabelled", "corrected"]
    loss: float | None
    shadow: Shadow | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry made of a command.

    Attributes:
        kind: declared, unchanged, promoted, requested or rejected.
        revision: of the model after it; None where the command could not even be read.
        faults: (field, reason) of each fault of a refused declaration.

    """

    model: str
    kind: str
    reason: str
    revision: int | None = None
    faults: tuple[tuple[str, str], ...] = ()


def prediction(value: bytes) -> Prediction:
    """Read a prediction, ignoring fields that a newer platform may add."""
    return Prediction(**_fields(json.loads(value), Prediction, ("time",)))


def outcome(value: bytes) -> Outcome:
    """Read an outcome, ignoring fields that a newer platform may add."""
    return Outcome(**_fields(json.loads(value), Outcome, ("time", "label_time")))


def command(
    model: str,
    order: Mapping[str, Any],
    *,
    actor: str,
    at: datetime,
    expected_revision: int | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """Build a command to the registry under an id of its own."""
    command_id = str(uuid.uuid4())
    return {
        "event_id": command_id,
        "cause": command_id,
        "model": model,
        "at": at.isoformat(),
        "actor": actor,
        "expected_revision": expected_revision,
        "reason": reason,
        "order": dict(order),
    }


def _fields(content: dict[str, Any], kind: type, times: tuple[str, ...]) -> dict[str, Any]:
    fields = {name: content[name] for name in kind.__dataclass_fields__}  # type: ignore[attr-defined]
    for name in times:
        if fields[name] is not None:
            fields[name] = datetime.fromisoformat(fields[name])
    fields["score"] = _score(fields["score"])
    if (shadow := fields["shadow"]) is not None:
        fields["shadow"] = Shadow(shadow["version"], _score(shadow["score"]))
    return fields


def _score(value: float | list[float]) -> Score:
    return tuple(value) if isinstance(value, list) else value
