"""`python -m tests.benchmarks.drift`: is the promise kept, and who is faster at the same price."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from tests.benchmarks.drift import counting, study, tables
from tests.benchmarks.drift.effort import QUICK, Effort
from tests.benchmarks.drift.judging import Delay, Quiet, merged, pooled
from tests.benchmarks.peers import Missing, environment

ROUNDS = 7
EVERY = 10  # tasks between two lines where there is no terminal


def main(
    folder: Annotated[Path, typer.Option("--json", help="Where the figures are written.")] = Path(
        ".driftwheel/bench"
    ),
    quick: Annotated[
        bool, typer.Option(help="Everything once and small, to see that it runs.")
    ] = False,
    peers: Annotated[
        bool, typer.Option(help="Install river in an environment of its own, and ask it too.")
    ] = True,
    processes: Annotated[int, typer.Option(help="That simulate at the same time.")] = min(
        2, os.cpu_count() or 1
    ),
) -> None:
    """Simulate, print tables, write JSON."""
    console, effort = Console(), QUICK if quick else Effort()
    counted = counting.measure(ROUNDS)
    listed = study.tasks(effort, _river(folder, console) if peers else None)
    quiet: list[Quiet] = []
    delays: list[Delay] = []
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("simulating", total=len(listed))
        for done, (own_quiet, own_delays) in enumerate(study.run(listed, processes), 1):
            quiet += own_quiet
            delays += own_delays
            progress.advance(task)
            if not console.is_terminal and done % EVERY == 0:
                console.log(f"{done} of {len(listed)} tasks")
    report = tables.report(merged(quiet), pooled(delays), counted)
    tables.show(console, report)
    tables.write(folder, report)


def _river(folder: Path, console: Console) -> Path | None:
    try:
        return environment(folder, "river", "river")
    except Missing as error:
        console.print(str(error))
        return None


if __name__ == "__main__":
    typer.run(main)
