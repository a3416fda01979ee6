"""One run: declare, replay, watch, wait until all is settled, report."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from driftwheel import Client
from driftwheel.declarations import Declaration
from examples.demo.ground import DemoError, Ground
from examples.demo.ledger import Cost, Ledger
from examples.demo.memory import Memory
from examples.demo.play import Progress, play
from examples.demo.reading import Books
from examples.demo.report import compared, frozen, summary
from examples.demo.view import View
from examples.stream import Day

LOOK_S = 0.25
QUIET_LOOKS = 12
SETTLE_S = 180.0
LINE_EVERY = 40


@dataclass(frozen=True, slots=True)
class UseCase:
    """What is replayed.

    Attributes:
        patience: label horizon and allowed lateness of the declaration, together.
        frozen_at: the model to compare with has seen the labels known before; figures start here.

    """

    title: str
    model: str
    metric: str
    declaration: Path
    replay: Callable[[date, date], Iterator[Day]]
    patience: timedelta
    cost: Cost | None
    frozen_at: date


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose.

    Attributes:
        begun: a file to make at the first prediction.
        started: monotonic seconds of the program's start.
    """

    start: date
    end: date
    speed: float
    report: Path
    begun: Path | None
    started: float


async def run(case: UseCase, options: Options, ground: Ground, console: Console) -> dict[str, Any]:
    """Run a use case on a ground and write its report.

    Raises:
        DemoError: something failed, or was not settled in time.

    """
    async with Client(kafka=ground.kafka, prefix=ground.prefix) as client:
        await client.apply(Declaration(case.declaration).content)
        return await _run(case, options, ground, client, console)


async def _run(
    case: UseCase, options: Options, ground: Ground, client: Client, console: Console
) -> dict[str, Any]:
    scored_from = datetime.combine(case.frozen_at, datetime.min.time(), UTC)
    books = Books(ground, case.model, Ledger(case.patience, scored_from, case.cost))
    progress, memory = Progress(), Memory(ground.pids)
    days = case.replay(options.start, options.end)
    reading = asyncio.create_task(books.keep())
    playing = asyncio.create_task(play(client, case.model, days, options.speed, progress))
    try:
        view = View(case.title, case.metric, books, progress)
        settle_s = await _watch(view, (reading, playing), memory, options, console)
    finally:
        for task in (playing, reading):
            task.cancel()
        await asyncio.gather(playing, reading, return_exceptions=True)
    report = await _report(case, options, ground, books, scored_from)
    report |= {"seconds_to_settle": settle_s, "peak_rss_mb": memory.megabytes()}
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(json.dumps(report, indent=2, default=str) + "\n")
    console.print(summary(report, case.metric))
    console.print(f"report: {options.report}")
    return report


async def _watch(
    view: View,
    tasks: tuple[asyncio.Task[None], ...],
    memory: Memory,
    options: Options,
    console: Console,
) -> float:
    """Show the run until it is settled; return the seconds from the last record to that."""
    live = Live(view, console=console, refresh_per_second=4, transient=False)
    looks = 0
    with live if console.is_terminal else contextlib.nullcontext():
        ended: float | None = None
        settled = _Settled(view.books)
        while True:
            await asyncio.sleep(LOOK_S)
            for task in tasks:
                if task.done() and task.exception():
                    raise DemoError(f"The demo failed: {task.exception()!r}") from task.exception()
            memory.look()
            if options.begun and view.books.first_prediction:
                options.begun.touch()
            looks += 1
            if not console.is_terminal and looks % LINE_EVERY == 0:
                console.print(view.line())
            if view.progress.done:
                ended = ended or time.monotonic()
                if settled.look():
                    return time.monotonic() - ended - QUIET_LOOKS * LOOK_S
                if time.monotonic() - ended > SETTLE_S:
                    return time.monotonic() - ended


class _Settled:
    """Tells when nothing is owed, nobody trains, and nothing has come for a while."""

    def __init__(self, books: Books) -> None:
        self.books, self.quiet, self.records = books, 0, -1

    def look(self) -> bool:
        """Look once."""
        still = self.records == self.books.records and self.books.open_runs() == 0
        self.quiet = self.quiet + 1 if still else 0
        self.records = self.books.records
        return self.quiet >= QUIET_LOOKS and self.books.ledger.lost == 0


async def _report(
    case: UseCase, options: Options, ground: Ground, books: Books, scored_from: datetime
) -> dict[str, Any]:
    alone = None
    if books.ledger.loss.n and ground.offline.exists():
        alone = await frozen(ground, case.declaration, case.model, scored_from, scored_from)
    first = books.first_prediction
    return {
        **books.ledger.counts(),
        "from": options.start,
        "to": options.end,
        "scored_from": case.frozen_at,
        "scored": books.ledger.loss.n,
        "served_by": books.ledger.versions,
        "versions": books.versions(),
        "decisions": books.decisions(),
        **compared(books.ledger, alone, case.metric),
        "seconds_to_first_prediction": (first or time.monotonic()) - options.started,
        "wall_seconds": time.monotonic() - options.started,
    }
