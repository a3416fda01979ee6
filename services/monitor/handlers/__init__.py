"""predictions, labels.validated -> outcomes, counted windows -> performance, drift, alerts."""

from services.monitor.handlers.catalog import Catalog
from services.monitor.handlers.closing import Closing
from services.monitor.handlers.counting import Counting, count_predictions
from services.monitor.handlers.joining import Join, keep_labels, publish_outcomes
from services.monitor.handlers.measuring import (
    REMEMBERED,
    Measuring,
    measure_inputs,
    measure_intake,
    measure_outcomes,
)
from services.monitor.handlers.placing import Placing
from services.monitor.handlers.watching import Watches

__all__ = [
    "REMEMBERED",
    "Catalog",
    "Closing",
    "Counting",
    "Join",
    "Measuring",
    "Placing",
    "Watches",
    "count_predictions",
    "keep_labels",
    "measure_inputs",
    "measure_intake",
    "measure_outcomes",
    "publish_outcomes",
]
