"""Every message that crosses a boundary: one line per topic."""

from typing import Any

from contracts.alerts import ALERT_RAISED, ALERT_RESOLVED
from contracts.base import DataTopic, Event, Topic
from contracts.data import DATA_TOPICS
from contracts.performance import (
    DRIFT_DETECTED,
    DRIFT_MEASURED,
    PERFORMANCE_MEASURED,
    PREDICTIONS_COUNTED,
    WINDOW_COUNTED,
)
from contracts.quality import QUALITY_MEASURED
from contracts.registry import (
    MODEL_DECLARED,
    REGISTRY_COMMANDS,
    REGISTRY_RECORDED,
    RELEASE_CHANGED,
)
from contracts.training import MODEL_TRAINED, TRAINING_DECIDED, TRAINING_REQUESTED

TOPICS: tuple[Topic[Any], ...] = (
    REGISTRY_COMMANDS,
    REGISTRY_RECORDED,
    MODEL_DECLARED,
    RELEASE_CHANGED,
    QUALITY_MEASURED,
    PREDICTIONS_COUNTED,
    WINDOW_COUNTED,
    PERFORMANCE_MEASURED,
    DRIFT_MEASURED,
    DRIFT_DETECTED,
    ALERT_RAISED,
    ALERT_RESOLVED,
    TRAINING_REQUESTED,
    TRAINING_DECIDED,
    MODEL_TRAINED,
)

__all__ = ["DATA_TOPICS", "TOPICS", "DataTopic", "Event", "Topic"]
