"""`python -m tests.storm`: the long storm over the join of the monitor, and both replays."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.stack import infrastructure
from shared.kafka import Names
from tests.storm.faults import LONG
from tests.storm.mortal import POINTS
from tests.storm.said import said
from tests.storm.seen import Verdict
from tests.storm.storm import Storm, storm, through

RHYTHM_S = 1.0
KILL_EVERY_S = 8.0
SHOWN = 20
WIDTH = 150  # where the output goes to a file


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one storm; 1 when anything is lost or wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--predictions", type=int, default=12000, help="of the larger model")
    parser.add_argument("--seed", type=int, default=1, help="of the streams and the kills")
    parser.add_argument("--logs", type=Path, help="a folder for state and logs")
    asked = parser.parse_args(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # Kafka is killed on purpose
    with tempfile.TemporaryDirectory() as scratch:
        folder = (asked.logs or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_run(folder, asked.predictions, asked.seed))


async def _run(folder: Path, n: int, seed: int) -> int:
    streams = [
        said("m", seed=seed, n=n),
        said("other", seed=seed + 1, n=n // 2, missing="negative"),
        said("third", seed=seed + 2, n=n // 4),
    ]
    console, began = Console(), time.monotonic()
    if not console.is_terminal:
        console.width = WIDTH
    verdicts: dict[str, Verdict] = {}
    cells: dict[str, list[str]] = {}
    with infrastructure(folder / "infrastructure") as real:
        async with storm(real, Names("storm."), folder, streams, rhythm_s=RHYTHM_S) as one:
            one.copies.lots.seed(seed)
            verdicts["live"] = await through(one, LONG, kill_every_s=KILL_EVERY_S)
            cells["live"] = one.differing()
            for flushed in (False, True):
                await one.replay(flushed=flushed)
                name = "replay, empty store" if flushed else "replay, living store"
                verdicts[name] = await one.until_complete()
                cells[name] = one.differing()
            _tell(console, one, verdicts, time.monotonic() - began)
            for name, differing in cells.items():
                for cell in differing[:SHOWN]:
                    console.print(f"{name}: {cell}")
            unvisited = set(POINTS) - set(one.copies.deaths)
    return 1 if unvisited or any(verdict.faults for verdict in verdicts.values()) else 0


def _tell(console: Console, one: Storm, verdicts: dict[str, Verdict], took_s: float) -> None:
    sent = sum(len(told.predictions) for told in one.streams)
    deaths = one.copies.deaths
    console.print(
        f"{sent} predictions, {deaths.total()} SIGKILLs in {took_s:.0f} s: {dict(deaths)}"
    )
    console.print(f"also: {', '.join(map(str, one.faults))}")
    table = Table("run", *asdict(verdicts["live"]))
    for name, verdict in verdicts.items():
        table.add_row(name, *map(str, asdict(verdict).values()))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
