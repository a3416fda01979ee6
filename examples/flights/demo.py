"""`python -m examples.flights.demo`: the flights of 2013 through the whole loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from examples.demo.ground import DemoError, Ground, attached_ground, own_ground
from examples.demo.ledger import Cost
from examples.demo.run import Options, UseCase, run
from examples.flights.replay import FIRST_DAY, LAST_DAY, replay

FLIGHTS = UseCase(
    title="flight-delay: will it land more than 15 minutes late?",
    model="flight-delay",
    metric="log_loss",
    declaration=Path(__file__).parent / "declaration.yaml",
    replay=replay,
    patience=timedelta(hours=36, minutes=30),
    cost=Cost(threshold=0.25, miss=3.0, alarm=1.0),
    frozen_at=date(2013, 2, 1),
)
DAY = ["%Y-%m-%d"]
FOLDER = Path(".driftwheel")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def demo(
    start: Annotated[datetime, typer.Option("--from", formats=DAY, help="First day.")] = datetime(
        2013, 1, 1
    ),
    end: Annotated[datetime, typer.Option("--to", formats=DAY, help="Last day.")] = datetime(
        2013, 12, 31
    ),
    speed: Annotated[float, typer.Option(min=0, help="Days a second; 0: as fast as it goes.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running.")] = False,
    attach: Annotated[bool, typer.Option("--attach", help="Use the stack that runs.")] = False,
    folder: Annotated[Path, typer.Option(help="Where the stack keeps its data.")] = FOLDER,
    report: Annotated[Path | None, typer.Option(help="Where the report goes.")] = None,
    begun: Annotated[
        Path | None, typer.Option(help="A file to make at the first prediction, for health checks.")
    ] = None,
) -> None:
    """Replay the flights of 2013 at a day a second through a stack of their own."""
    # Young topics have no leaders for a moment, which the Kafka client calls errors.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    first, last = start.date(), end.date()
    if not FIRST_DAY <= first <= last <= LAST_DAY:
        raise typer.BadParameter(
            f"--from and --to lie between {FIRST_DAY} and {LAST_DAY}, in order"
        )
    options = Options(
        first, last, speed, report or folder / "demo-report.json", begun, time.monotonic()
    )
    ground = contextlib.nullcontext(attached_ground(folder)) if attach else own_ground(folder, keep)
    console = Console()
    with _explained(console), ground as there:
        figures = asyncio.run(_run(options, there, console))
        if keep:
            console.print("The stack goes on: `driftwheel status`; `driftwheel down` ends it.")
        if keep and attach:
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    if figures["lost"] or figures["duplicates"]:
        console.print("[red]Something was lost or doubled: see the logs in the folder.[/]")
        raise typer.Exit(1)


async def _run(options: Options, ground: Ground, console: Console) -> dict[str, int]:
    return await run(FLIGHTS, options, ground, console)


@contextlib.contextmanager
def _explained(console: Console) -> Iterator[None]:
    try:
        yield
    except DemoError as error:
        console.print(f"[red]Error:[/] {error}")
        sys.exit(1)


if __name__ == "__main__":
    app()
