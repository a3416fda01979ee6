"""Alarms joined to what they speak of: one change that lasts, or several that passed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from services.training.domain.situation import Drift


def waiting(
    drifts: Iterable[Drift], version: str, answered: datetime | None, cooldown: timedelta
) -> Drift | None:
    """Find the harmful drift of a version that no run has answered.

    Alarms that follow each other are one change: an alarm belongs to the ones before, unless these
    had passed by its change point. The newest change counts.

    Args:
        drifts: alarms of one model.
        version: that decides; drift of another needs no answer any more.
        answered: windows that ended until then have been answered by a run.
        cooldown: for so long monitor does not repeat an alarm.

    Returns:
        The newest alarm, with the change point of the first that it belongs to.

    """
    current = None
    for drift in sorted(drifts, key=lambda drift: (drift.until, drift.since)):
        harms = drift.harmful and drift.version == version
        if not harms or (answered is not None and drift.until <= answered):
            continue
        if current is not None and not passed(current, drift.since, cooldown):
            drift = replace(drift, since=min(current.since, drift.since))
        current = drift
    return current


def passed(drift: Drift, now: datetime, cooldown: timedelta) -> bool:
    """Tell whether drift was not seen again for longer than it had lasted, and was to be repeated.

    Monitor repeats the alarm of drift that goes on, but not within a cool-down.
    """
    return now - drift.until > max(drift.until - drift.since, cooldown)
