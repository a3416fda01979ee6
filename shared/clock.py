"""Wall time, for liveness and time-outs only; decisions use event time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Tell the time in UTC."""
    return datetime.now(UTC)
