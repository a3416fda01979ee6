"""The monitor with named points at which its process ends: `uvicorn tests.storm.mortal:build`.

The product knows nothing of it: methods of its store, producer and consumer are wrapped here, and
the process kills itself when it passes the point that STORM_DIES_AT names, as in `claimed:7`, for
that many times.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from contracts.data import LABELS_VALIDATED, OUTCOMES, PREDICTIONS
from contracts.performance import WINDOW_COUNTED
from services.monitor.adapters.store import RedisStore
from services.monitor.app import JOIN, parts
from services.monitor.settings import Settings
from shared.kafka import Consumer, CrashLedger, Names, Producer
from shared.kafka.ledger import DEATHS
from shared.service import application
from shared.telemetry import set_up

DIES_AT, GRAVES = "STORM_DIES_AT", "STORM_GRAVES"
POINTS = (
    "label_stored",
    "label_committed",
    "correction_published",
    "claimed",
    "blob_written",
    "outcome_published",
    "outcome_committed",
    "window_told",
    "ledger_written",
)

Passed = Callable[..., Iterable[str]]


def build() -> Starlette:
    """Make the application, with an end in it."""
    telemetry, settings = set_up("monitor"), Settings()
    listed = parts(settings, telemetry)
    ledger = next(part for part in listed if isinstance(part, CrashLedger))
    fate, names = Fate(ledger), Names(settings.prefix)
    for part in listed:
        if isinstance(part, RedisStore):
            fate.after(part, "keep", lambda *_: ["label_stored"])
            fate.after(part, "claim", lambda _, due: ["claimed"] if any(d.ids for d in due) else [])
            fate.after(part, "count", lambda *_: ["blob_written"])
            fate.after(part, "write_ledger", lambda *_: ["ledger_written"])
        elif isinstance(part, Producer):
            fate.after(part, "publish", Published(names))
        elif isinstance(part, Consumer) and part.group == JOIN:
            fate.after(part.commits, "_commit", committed)
    return application(telemetry, listed)


class Fate:
    """Ends the process; never a third time in a row at one record, which would be skipped."""

    def __init__(self, ledger: CrashLedger) -> None:
        self.ledger = ledger
        self.point, _, passes = os.environ[DIES_AT].partition(":")
        self.left = int(passes)

    def after(self, owner: Any, method: str, points: Passed) -> None:
        """Note which points are passed whenever a method has done its work."""
        original = getattr(owner, method)

        @wraps(original)
        async def wrapped(*args: Any, **more: Any) -> Any:
            answer = await original(*args, **more)
            for point in points(*args, **more):
                self.passed(point)
            return answer

        setattr(owner, method, wrapped)

    def passed(self, point: str) -> None:
        """End here, if this is the point and the time."""
        if point != self.point:
            return
        self.left -= 1
        suspected = max((one.deaths for one in self.ledger.suspects.values()), default=0)
        if self.left <= 0 and suspected < DEATHS - 1:
            with Path(os.environ[GRAVES]).open("a") as graves:
                graves.write(f"{point}\n")
            os.kill(os.getpid(), signal.SIGKILL)


class Published:
    """Names the points that what was published has passed."""

    def __init__(self, names: Names) -> None:
        self.windows = names.topic(WINDOW_COUNTED)

    def __call__(self, messages: Any, blocks: Any = ()) -> Iterable[str]:
        if any(message.topic == self.windows for message in messages):
            yield "window_told"
        for block in blocks:
            assert block.topic.endswith(f".{OUTCOMES.kind}.v1")
            of_labels = f".{LABELS_VALIDATED.kind}." in block.causes[0].topic
            yield "correction_published" if of_labels else "outcome_published"


def committed(_: Any, ends: Any) -> Iterable[str]:
    """Name the points that a commit has passed."""
    if any(f".{LABELS_VALIDATED.kind}." in position.topic for position in ends):
        yield "label_committed"
    if any(f".{PREDICTIONS.kind}." in position.topic for position in ends):
        yield "outcome_committed"
