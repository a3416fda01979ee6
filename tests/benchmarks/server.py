"""HTTP servers as processes: started, asked until they answer, ended."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from deploy.local.leash import leash
from tests.benchmarks.load import Broken
from tests.benchmarks.process import QUIET

PATIENCE_S = 60.0


class Server:
    """A server as a process, on a core of its own where there are two."""

    def __init__(
        self, command: Sequence[str], port: int, log: Path, environment: Mapping[str, str]
    ) -> None:
        self.port, self.log = port, log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **QUIET, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        leash().hold(command[-1], self.process.pid)
        self._seen = psutil.Process(self.process.pid)

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far."""
        times = self._seen.cpu_times()
        return times.user + times.system

    def rss_mb(self) -> float:
        """Resident memory in MiB."""
        return self._seen.memory_info().rss / 2**20

    async def ready(self, path: str) -> None:
        """Wait until a path is answered.

        Raises:
            Broken: it is not.

        """
        try:
            async with httpx.AsyncClient() as client, asyncio.timeout(PATIENCE_S):
                while self.process.poll() is None and not await self._answers(client, path):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self.process.kill()
        if self.process.poll() is not None:
            raise Broken(f"a server did not start: {self.log.read_text()[-3000:]}")

    async def _answers(self, client: httpx.AsyncClient, path: str) -> bool:
        try:
            return (await client.get(f"http://127.0.0.1:{self.port}{path}")).status_code == 200
        except httpx.TransportError:
            return False


def module(name: str, port: int) -> tuple[str, ...]:
    """Start a server of ours."""
    return (sys.executable, "-m", name, "--port", str(port))


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    path: str,
    log: Path,
    environment: Mapping[str, str],
) -> Iterator[Server]:
    """Run a server for the body."""
    server = Server(command, port, log, environment)
    try:
        asyncio.run(server.ready(path))
        yield server
    finally:
        server.process.kill()
        server.process.wait()
