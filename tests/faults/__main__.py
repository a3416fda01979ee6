"""`python -m tests.faults`: the fault matrix on a real stack, one row per fault."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import uvloop
from rich.console import Console

from tests.faults.finding import Finding, line_of, table_of, write
from tests.faults.history import Verdict
from tests.faults.matrix import MATRIX
from tests.faults.world import World

FILE = Path(".driftwheel/faults.json")
WIDTH = 150  # where the output goes to a file


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the matrix; 1 when a bound is broken."""
    asked = _asked(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # faults are what we are here for
    console, findings = Console(), list[Finding]()
    if not console.is_terminal:
        console.width = WIDTH
    began = time.monotonic()
    console.print("Starting Kafka, Redis and the services.")
    with tempfile.TemporaryDirectory() as folder, World(Path(folder)) as world:
        for name in asked.only or MATRIX:
            with console.status(f"{name} ({time.monotonic() - began:.0f} s so far)"):
                findings.append(_found(world, name))
            console.print(line_of(findings[-1]), highlight=False, soft_wrap=True)
            write(findings, asked.json)
        if asked.logs:
            world.keep_logs(asked.logs)
    console.print(table_of(findings))
    broken = [one.fault for one in findings if not one.held]
    console.print(
        f"{len(findings)} faults in {time.monotonic() - began:.0f} s, {len(broken)} bounds broken; "
        f"written to {asked.json}"
    )
    return 1 if broken else 0


def _found(world: World, name: str) -> Finding:
    """Carry out a scenario; one that cannot be has shown something too."""
    started = time.monotonic()
    try:
        found = uvloop.run(MATRIX[name](world))
    except Exception as error:
        traceback.print_exc()
        found = Finding.of(name, "can be carried out", Verdict(), {repr(error): False}, sent=0)
    return replace(found, took_s=round(time.monotonic() - started, 1))


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=MATRIX, help=", ".join(MATRIX))
    parser.add_argument("--json", type=Path, default=FILE, help="where the findings are written")
    parser.add_argument("--logs", type=Path, help="a folder to keep the logs of the processes in")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
