"""The stack as processes that may be killed, frozen and copied; services are started again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from deploy.local.fetch import kafka_jars
from deploy.local.folder import Folder
from deploy.local.kafka import Kafka
from deploy.local.ports import Ports
from deploy.local.process import Process, stop_all, wait_until_ready
from deploy.local.progress import progress
from deploy.local.redis import Redis
from deploy.local.services import SERVICES, Service, ServiceProcess
from deploy.local.stack import Plan, Stack
from deploy.local.supervision import LOOK_S, Keeper
from shared.kafka import Names

POLL_S = 0.02

Check = Callable[[], object | Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Death:
    """How a process that is kept alive ended."""

    name: str
    exit_code: int
    at: float


class World:
    """A whole stack in a folder of its own.

    Services are kept alive as the supervisor of the local stack does it; what happens to Kafka and
    Redis is the scenario's to decide.

    Args:
        folder: for data and logs.

    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.names = Folder(folder.resolve()), Names()
        self.ports = Ports()
        rows = ("kafka", "redis", *(row.name for row in SERVICES))
        plan = Plan(ports={name: self.ports.any() for name in rows})
        self.stack = Stack(self.folder, plan, kafka_jars())
        self.deaths: list[Death] = []
        self._keepers: dict[str, tuple[ServiceProcess, Keeper]] = {}
        self._extra: list[ServiceProcess] = []
        self._lock, self._end = threading.Lock(), threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.folder.state.mkdir(parents=True, exist_ok=True)
        try:
            with progress(quiet=True) as quiet:
                self.stack.start(quiet, self._end, lambda: None)
        except BaseException:
            self._stop()
            raise
        for process in self.stack.services:
            self.keep(process)
        self._watching.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._watching.join()
        self._stop()

    @property
    def kafka(self) -> Kafka:
        """The broker."""
        assert self.stack.kafka is not None
        return self.stack.kafka

    @property
    def redis(self) -> Redis:
        """The store of the services' state."""
        assert self.stack.redis is not None
        return self.stack.redis

    def service(self, name: str) -> ServiceProcess:
        """Find a service."""
        return next(process for process in self.stack.services if process.name == name)

    def kill(self, name: str) -> float:
        """SIGKILL a service; returns the wall time of it."""
        process, at = self.service(name), time.time()
        signalled(process, signal.SIGKILL)
        return at

    def keep(self, process: ServiceProcess) -> None:
        """Start a process again whenever it ends; it runs already."""
        with self._lock:
            self._keepers[process.name] = process, Keeper(process, lambda _: None)

    def release(self, names: Collection[str]) -> None:
        """Leave these alone when they end."""
        with self._lock:
            for name in names:
                self._keepers.pop(name, None)

    def added(self, service: Service, environment: Mapping[str, str], name: str) -> ServiceProcess:
        """Make one more process of the stack, not started yet; it is stopped with the others."""
        told = {**self.stack.services[0].environment(), **environment}
        row = replace(service, name=name)
        process = ServiceProcess(row, self.ports.any(), told, self.folder.logs)
        self._extra.append(process)
        return process

    def copy(self, name: str, instance: int) -> ServiceProcess:
        """Make a further copy of a service."""
        row = next(row for row in SERVICES if row.name == name)
        return self.added(row, {"DRIFTWHEEL_INSTANCE": str(instance)}, f"{name}-{instance}")

    def keep_logs(self, folder: Path) -> None:
        """Copy what the processes have written so far."""
        shutil.copytree(self.folder.logs, folder, dirs_exist_ok=True)

    def deaths_since(self, at: float) -> list[Death]:
        """List the deaths that happened after a wall time."""
        return [death for death in self.deaths if death.at >= at]

    async def until_ready(self, *processes: Process) -> None:
        """Wait until processes serve, without holding up the loop."""
        await asyncio.to_thread(wait_until_ready, processes)

    async def ready_again(self, process: ServiceProcess, seconds: float) -> bool:
        """Wait until a service says that it is ready."""
        async with httpx.AsyncClient(base_url=process.url, timeout=2) as http:
            return await within(seconds, lambda: _ready(http))

    def _watch(self) -> None:
        seen: set[int | None] = set()
        while not self._end.wait(LOOK_S):
            with self._lock:
                keepers = list(self._keepers.values())
            for process, keeper in keepers:
                code, pid = process.exit_code, process.pid
                if code is not None and pid not in seen:
                    seen.add(pid)
                    self.deaths.append(Death(process.name, code, time.time()))
                keeper.look()

    def _stop(self) -> None:
        for process in (*self.stack.processes, *self._extra):
            if process.alive:
                signalled(process, signal.SIGCONT)
        stop_all(self._extra)
        with progress(quiet=True) as quiet:
            self.stack.stop(quiet)


def signalled(process: Process, number: signal.Signals) -> None:
    """Send a signal to a process that runs."""
    assert process.pid is not None
    os.kill(process.pid, number)


async def within(seconds: float, check: Check, every: float = POLL_S) -> bool:
    """Poll until `check` answers something true; False at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if await found if isinstance(found, Awaitable) else found:
            return True
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(every)


async def _ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.HTTPError:
        return False
