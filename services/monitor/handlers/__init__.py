"""predictions, labels.validated -> outcomes, window.counted -> performance, drift."""

from services.monitor.handlers.catalog import Catalog
from services.monitor.handlers.closing import Closing
from services.monitor.handlers.counting import count_predictions
from services.monitor.handlers.joining import Join, keep_labels, publish_outcomes
from services.monitor.handlers.measuring import measure_windows
from services.monitor.handlers.placing import Placing

__all__ = [
    "Catalog",
    "Closing",
    "Join",
    "Placing",
    "count_predictions",
    "keep_labels",
    "measure_windows",
    "publish_outcomes",
]
