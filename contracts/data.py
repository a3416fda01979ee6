"""The data plane: what users write and read; payload types are generated from the declaration."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, Field, create_model

from contracts.base import DataTopic, Strict, Value
from contracts.declaration import Declaration, Feature

EVENTS = DataTopic("events", "event", producer="user", consumers=("validation",))
LABELS = DataTopic("labels", "label", producer="user", consumers=("validation",))
EVENTS_VALIDATED = DataTopic(
    "events.validated", "event", producer="validation", consumers=("serving",)
)
LABELS_VALIDATED = DataTopic(
    "labels.validated", "label", producer="validation", consumers=("monitor",)
)
EVENTS_QUARANTINED = DataTopic(
    "events.quarantined", "bytes", producer="validation", consumers=("client",)
)
PREDICTIONS = DataTopic(
    "predictions", "prediction", producer="serving", consumers=("monitor", "client")
)
OUTCOMES = DataTopic("outcomes", "outcome", producer="monitor", consumers=("training", "client"))

DATA_TOPICS = (
    EVENTS,
    LABELS,
    EVENTS_VALIDATED,
    LABELS_VALIDATED,
    EVENTS_QUARANTINED,
    PREDICTIONS,
    OUTCOMES,
)

Status: TypeAlias = Literal["labelled", "unlabelled", "corrected"]
# Whole numbers beyond are not exact in a float64 column.
LARGEST = 2**53
EventId = Annotated[str, Field(min_length=1, max_length=200)]


class Shadow(Value):
    """What the model in the shadow would have answered."""

    version: str
    score: float | tuple[float, ...]


def payload_type(topic: DataTopic, declaration: Declaration) -> type[BaseModel] | None:
    """Generate the type of a data topic's payload; None where any bytes may stand."""
    build = {
        "event": event_type,
        "label": label_type,
        "prediction": prediction_type,
        "outcome": outcome_type,
    }.get(topic.payload)
    return build(declaration) if build else None


def event_type(declaration: Declaration) -> type[BaseModel]:
    """Generate what a user's event must look like."""
    return create_model(
        "Event",
        __base__=Strict,
        id=(EventId, ...),
        time=(AwareDatetime, ...),
        features=(features_type(declaration), ...),
    )


def label_type(declaration: Declaration) -> type[BaseModel]:
    """Generate what a label must look like; `time` is when the truth was known."""
    return create_model(
        "Label",
        __base__=Strict,
        id=(EventId, ...),
        time=(AwareDatetime, ...),
        value=(label_value(declaration), ...),
    )


def prediction_type(declaration: Declaration) -> type[BaseModel]:
    """Generate what a prediction looks like; it carries the features it was made from."""
    return create_model("Prediction", __base__=Value, **_prediction_fields(declaration))


def outcome_type(declaration: Declaration) -> type[BaseModel]:
    """Generate what an outcome looks like: the prediction and what came of it."""
    fields = _prediction_fields(declaration)
    return create_model(
        "Outcome",
        __base__=Value,
        **{name: kind for name, kind in fields.items() if name not in ("plan", "role", "shadow")},
        label=(label_value(declaration) | None, ...),
        label_time=(AwareDatetime | None, ...),
        status=(Status, ...),
        loss=(float | None, ...),
        shadow=(Shadow | None, ...),
    )


def features_type(declaration: Declaration) -> type[BaseModel]:
    """Generate the strict type of the features object."""
    fields: dict[str, Any] = {
        name: _field(feature) for name, feature in declaration.spec.features.items()
    }
    return create_model("Features", __base__=Strict, **fields)


def label_value(declaration: Declaration) -> Any:
    """Name the type of a label's value."""
    spec = declaration.spec
    if spec.task == "binary":
        return bool
    return float if spec.task == "regression" else Literal[spec.classes or ()]


def _field(feature: Feature) -> Any:
    kind: Any
    if feature.type == "category":
        closed = feature.categories
        kind = Literal[closed] if closed else Annotated[str, Field(min_length=1, max_length=200)]
    elif feature.type == "bool":
        kind = bool
    else:
        low, high = feature.min, feature.max
        if feature.type == "int":
            low = -LARGEST if low is None else low
            high = LARGEST if high is None else high
        kind = Annotated[int if feature.type == "int" else float, Field(ge=low, le=high)]
    return (kind | None, None) if feature.nullable else (kind, ...)


def _prediction_fields(declaration: Declaration) -> dict[str, Any]:
    task = declaration.spec.task
    decision = {"binary": bool, "multiclass": str, "regression": type(None)}[task]
    return {
        "id": (EventId, ...),
        "time": (AwareDatetime, ...),
        "model": (str, ...),
        "version": (str, ...),
        "score": (tuple[float, ...] if task == "multiclass" else float, ...),
        "decision": (decision, ...),
        "features": (features_type(declaration), ...),
        "plan": (str, ...),
        "role": (Literal["stable", "candidate"], ...),
        "shadow": (Shadow | None, ...),
    }
