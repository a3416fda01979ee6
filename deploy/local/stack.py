"""The whole stack, or a part of it: which processes, on which ports, in which order."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from deploy.local.cpus import usable_cpus
from deploy.local.errors import LocalError
from deploy.local.fetch import kafka_jars
from deploy.local.folder import Folder
from deploy.local.kafka import Kafka
from deploy.local.ports import Ports
from deploy.local.process import Process, stop_all, wait_until_ready
from deploy.local.progress import Progress
from deploy.local.redis import Redis
from deploy.local.services import SERVICES, Service, ServiceProcess

KAFKA_PORT, REDIS_PORT = 9092, 6379


@dataclass(frozen=True)
class Plan:
    """What to start.

    Args:
        services: the rows to choose from.
        only: names to start, out of kafka, redis and the services; None starts everything.
        ports: by name, where the user insists; all others take the usual port or a free one.

    Raises:
        LocalError: a name that is none of them.
    """

    services: Sequence[Service] = SERVICES
    only: Collection[str] | None = None
    ports: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = ("kafka", "redis", *(service.name for service in self.services))
        for name in (*(self.only or ()), *self.ports):
            if name not in known:
                raise LocalError(
                    f"There is nothing called {name!r} to start.",
                    f"choose from {', '.join(known)}.",
                )

    def includes(self, name: str) -> bool:
        """Tell whether `name` is to be started."""
        return self.only is None or name in self.only


class Stack:
    """The processes of one folder, their ports chosen; nothing runs before `start`.

    Raises:
        LocalError: a port that the plan names is taken.
    """

    def __init__(self, folder: Folder, plan: Plan, jars: Sequence[Path]) -> None:
        self._folder = folder
        self._plan = plan
        self._free = Ports()
        self.kafka: Kafka | None = None
        self.redis: Redis | None = None
        if plan.includes("redis"):
            self.redis = Redis(folder.redis, self._port("redis", REDIS_PORT), folder.logs)
        if plan.includes("kafka"):
            port, controller = self._port("kafka", KAFKA_PORT), self._free.any()
            self.kafka = Kafka(folder.kafka, port, controller, jars, folder.logs)
        environment = self._environment()
        self.services = [
            ServiceProcess(row, self._port(row.name, row.port), environment, folder.logs)
            for row in plan.services
            if plan.includes(row.name)
        ]

    @property
    def backbone(self) -> list[Process]:
        """Redis and Kafka, as far as they are in the plan."""
        return [process for process in (self.redis, self.kafka) if process]

    @property
    def processes(self) -> list[Process]:
        """All processes in the order of their start."""
        return [*self.backbone, *self.services]

    def start(self, progress: Progress, cancel: Event, started: Callable[[], None]) -> None:
        """Start everything and wait until all of it serves, or until `cancel` is set.

        Args:
            progress: told who is being waited for.
            cancel: ends the wait early.
            started: called after each start of a process.

        Raises:
            LocalError: a process ended or was not ready in time.
        """
        for group in (self.backbone, self.services):
            if not group or cancel.is_set():
                continue
            progress.stage(f"Starting {', '.join(process.name for process in group)}")
            for process in group:
                process.set_log_aside()
                process.start()
                started()
            wait_until_ready(
                group, cancel, lambda names: progress.detail(f"- waiting for {', '.join(names)}")
            )

    def stop(self, progress: Progress) -> None:
        """Stop the services, and when they are done Redis and Kafka."""
        for group in (self.services, self.backbone):
            if any(process.alive for process in group):
                progress.stage(f"Stopping {', '.join(process.name for process in group)}")
            stop_all(group)

    def endpoints(self) -> dict[str, Any]:
        """Return what clients need to know, in the form of endpoints.json."""
        return {
            "kafka": self.kafka.address if self.kafka else None,
            "redis": self.redis.url if self.redis else None,
            "services": {service.name: service.url for service in self.services},
            "pids": {process.name: process.pid for process in self.processes},
        }

    def _port(self, name: str, usual: int) -> int:
        if name in self._plan.ports:
            return self._free.named(self._plan.ports[name], name)
        return self._free.usual(usual)

    def _environment(self) -> dict[str, str]:
        """Return what every service is told; what is not started here may be set outside."""
        cpus = str(usable_cpus())
        own = {
            "DRIFTWHEEL_STATE": str(self._folder.state),
            "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin would starve the other services
            "OMP_NUM_THREADS": cpus,
            "OPENBLAS_NUM_THREADS": "1",  # no service multiplies matrices worth a second thread
            "DRIFTWHEEL_INSTANCE": "0",  # one copy of each: a restart need not wait for the session
            "PYTHONUNBUFFERED": "1",  # a killed service leaves its last lines in the log
        }
        if self.kafka:
            own["DRIFTWHEEL_KAFKA"] = self.kafka.address
        if self.redis:
            own["DRIFTWHEEL_REDIS"] = self.redis.url
        return own


@dataclass(frozen=True)
class Infrastructure:
    """A running Kafka and Redis; unpacks as their two addresses."""

    kafka: Kafka
    redis: Redis

    def __iter__(self) -> Iterator[str]:
        return iter((self.kafka.address, self.redis.url))


@contextmanager
def infrastructure(folder: Path | str) -> Iterator[Infrastructure]:
    """Run Kafka and Redis on free ports, with their data and logs in `folder`, for the body.

    >>> with infrastructure(tmp_path) as (kafka_address, redis_url): ...
    >>> with infrastructure(tmp_path) as running: running.kafka.kill(); running.kafka.restart()

    Raises:
        LocalError: one of them cannot be fetched or started.
    """
    place, ports = Folder(Path(folder).resolve()), Ports()
    kafka = Kafka(place.kafka, ports.any(), ports.any(), kafka_jars(), place.logs)
    redis = Redis(place.redis, ports.any(), place.logs)
    try:
        for process in (redis, kafka):
            process.start()
        wait_until_ready((redis, kafka))
        yield Infrastructure(kafka, redis)
    finally:
        stop_all((redis, kafka))
