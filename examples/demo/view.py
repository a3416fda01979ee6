"""The live view of a run in the terminal."""

from __future__ import annotations

import time
from collections import deque

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from driftwheel.words import sentence
from examples.demo.play import Progress
from examples.demo.reading import Books

WEEKS = 8
DECISIONS = 8
TOLD = (
    "drift.detected",
    "alert.raised",
    "alert.resolved",
    "training.decided",
    "registry.recorded",
)
BARS = 28


class View:
    """Renders what the books and the replay say."""

    def __init__(self, title: str, metric: str, books: Books, progress: Progress) -> None:
        self.title, self.metric, self.books, self.progress = title, metric, books, progress
        self._rates: deque[tuple[float, int]] = deque(maxlen=20)

    def __rich__(self) -> RenderableType:
        """Render the whole view."""
        return Panel(
            Group(self._head(), "", self._losses(), "", self._decisions()),
            title=self.title,
            border_style="cyan",
        )

    def line(self) -> str:
        """Say the same in one line, for logs."""
        ledger = self.books.ledger
        return (
            f"{self.progress.date}  {len(ledger.predicted):,} predictions  "
            f"{len(ledger.outcomes):,} outcomes  champion {self.books.champion}  "
            f"{self.metric} so far {_figure(ledger.loss.value)}"
        )

    def _head(self) -> RenderableType:
        now = time.monotonic()
        self._rates.append((now, len(self.books.ledger.events)))
        (then, before), (_, events) = self._rates[0], self._rates[-1]
        rate = (events - before) / (now - then) if now > then else 0.0
        ledger = self.books.ledger
        grid = Table.grid(padding=(0, 3))
        grid.add_row(
            f"[bold]{self.progress.date or 'starting'}[/]",
            f"{rate:,.0f} events/s",
            f"champion [bold green]{self.books.champion}[/]",
            f"{len(ledger.predicted):,} predictions",
            f"{len(ledger.outcomes):,} outcomes",
            f"{len(ledger.quarantined)} quarantined",
        )
        return grid

    def _losses(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("week of")
        table.add_column(self.metric, justify="right")
        table.add_column("outcomes", justify="right")
        table.add_column("")
        recent = sorted(self.books.ledger.weeks.items())[-WEEKS:]
        highest = max((mean.value or 0.0 for _, mean in recent), default=1.0) or 1.0
        for week, mean in recent:
            value = mean.value or 0.0
            bar = "█" * max(1, round(BARS * value / highest))
            table.add_row(f"{week:%d %b}", f"{value:.4f}", f"{mean.n:,}", f"[cyan]{bar}[/]")
        return table

    def _decisions(self) -> RenderableType:
        decisions = [fact for fact in self.books.facts if fact.subject in TOLD][-DECISIONS:]
        lines = [f"{fact.at:%d %b}  {sentence(fact)}" for fact in decisions]
        return Text("\n".join(lines) or "no decisions yet", overflow="ellipsis", no_wrap=True)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
