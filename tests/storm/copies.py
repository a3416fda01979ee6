"""Copies of the monitor that die at named points, and are started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from itertools import cycle
from pathlib import Path

from deploy.local.ports import Ports
from deploy.local.process import Process
from tests.storm.mortal import DIES_AT, GRAVES, POINTS

LOOK_S = 0.05
NOWHERE = "nowhere:1"
# Corrections and windows are rare, batches are not.
PASSES = {"correction_published": 2, "window_told": 3, "ledger_written": 4}
USUAL_PASSES = 6


class Copy(Process):
    """A process of the monitor, of which each start may be told where to end."""

    def __init__(self, name: str, environment: Mapping[str, str], logs: Path) -> None:
        super().__init__(f"monitor-{name}", logs / f"monitor-{name}.log")
        self.told = {**environment, "DRIFTWHEEL_INSTANCE": name}
        self.dies_at = NOWHERE
        self.port = Ports().any()

    def command(self) -> list[str]:
        """Serve health beside the work."""
        program = ("uvicorn", "tests.storm.mortal:build", "--factory", "--log-level", "warning")
        return [sys.executable, "-m", *program, "--port", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        """Say where to end."""
        return {**self.told, DIES_AT: self.dies_at}

    def ready(self) -> bool:
        """Nobody waits for it."""
        return self.alive


class Copies:
    """Two copies, kept alive; while the storm lasts every life has a point at which it ends.

    Args:
        environment: of the monitor.
        folder: for state and logs.
        seed: of the points' order, and of the lives' lengths.

    """

    def __init__(self, environment: Mapping[str, str], folder: Path, seed: int) -> None:
        self.graves = folder / "graves"
        self.graves.touch()
        told = {
            **os.environ,
            **environment,
            "DRIFTWHEEL_STATE": str(folder / "state"),
            GRAVES: str(self.graves),
        }
        self.each = [Copy(name, told, folder / "logs") for name in ("one", "two")]
        self.lots, self.points = random.Random(seed), cycle(POINTS)
        self.dying, self.killed = False, 0
        self.away: set[str] = set()

    @property
    def deaths(self) -> Counter[str]:
        """How often a copy ended where; "outside" is a SIGKILL of ours."""
        own = Counter(self.graves.read_text().split())
        return own + Counter(outside=self.killed)

    @contextlib.asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """Start them, and again whenever they end, for the body."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
            for copy in self.each:
                copy.kill()

    def kill_one(self) -> None:
        """SIGKILL one of them, whichever."""
        living = [copy for copy in self.each if copy.alive]
        if living:
            self.lots.choice(living).kill()
            self.killed += 1

    async def leave(self, seconds: float) -> None:
        """SIGKILL one and keep it away for so long that the other takes over."""
        self.away.add(self.each[0].name)
        self.each[0].kill()
        self.killed += 1
        await asyncio.sleep(seconds)
        self.away.clear()

    def renewed(self) -> None:
        """Kill all and start them without a point to end at."""
        self.dying = False
        for copy in self.each:
            copy.kill()

    def stopped(self) -> None:
        """Kill all, and keep them away until `away` is cleared."""
        self.away = {copy.name for copy in self.each}
        self.renewed()

    async def _keep(self) -> None:
        while True:
            for copy in self.each:
                if copy.exit_code not in (None, -signal.SIGKILL):
                    raise copy.failure(f"ended with exit code {copy.exit_code}")
                if not copy.alive and copy.name not in self.away:
                    copy.dies_at = self._point() if self.dying else NOWHERE
                    copy.start()
            await asyncio.sleep(LOOK_S)

    def _point(self) -> str:
        point = next(self.points)
        return f"{point}:{self.lots.randint(1, PASSES.get(point, USUAL_PASSES))}"
