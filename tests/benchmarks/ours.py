"""One of our services as it runs in production, watched through its own telemetry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module

from shared.kafka import Block, Message, Producer
from shared.kernels import Kernels
from shared.service import application
from shared.telemetry import CounterName, Telemetry, set_up
from tests.benchmarks.job import Job
from tests.benchmarks.meter import Meter


class Watched(Telemetry):
    """The service's telemetry, whose counter tells the meter how far the service is.

    Args:
        service: its name.
        meter: begins with the first batch of any consumer group, unless it waits to be warm.
        group: the consumer group whose records count; None where somebody else tells the meter.

    """

    def __init__(self, service: str, meter: Meter, group: str | None = None) -> None:
        super().__init__(service)
        self.meter, self.group = meter, group

    def count(self, name: CounterName, what: str, by: float = 1) -> None:
        """Count as always, and tell the meter."""
        super().count(name, what, by)
        if name == "records_consumed" and not self.meter.warm:
            self.meter.begin()
        if name == "records_consumed" and what == self.group:
            self.meter.advance(int(by))


@asynccontextmanager
async def service(_: Job, meter: Meter, *, name: str) -> AsyncIterator[None]:
    """Run all parts of a service; its settings come from the environment, as they always do."""
    app = import_module(f"services.{name}.app")
    settings = import_module(f"services.{name}.settings").Settings()
    set_up(name)
    telemetry = Watched(name, meter, group=name)
    parts = app.parts(settings, telemetry)
    # What is measured is a service that has been running for a while.
    for kernels in (part for part in parts if isinstance(part, Kernels)):
        for load in kernels.loads:
            load()
    asgi = application(telemetry, parts)
    async with asgi.router.lifespan_context(asgi):
        yield


class Watching(Producer):
    """A producer that tells the meter what was acknowledged for one topic."""

    def __init__(self, kafka: str, topic: str, meter: Meter) -> None:
        super().__init__(kafka)
        self.topic, self.meter = topic, meter

    async def publish(self, messages: Sequence[Message], blocks: Sequence[Block] = ()) -> None:
        """Publish as always, and tell the meter."""
        await super().publish(messages, blocks)
        done = sum(message.topic == self.topic for message in messages)
        done += sum(len(block.values) for block in blocks if block.topic == self.topic)
        self.meter.advance(done)


@asynccontextmanager
async def monitor(job: Job, meter: Meter) -> AsyncIterator[None]:
    """Run the monitor's three groups until so many outcomes are out."""
    from services.monitor.app import parts
    from services.monitor.settings import Settings

    set_up("monitor")
    telemetry = Watched("monitor", meter)
    publisher = Watching(job.kafka, job.says, meter)
    asgi = application(telemetry, parts(Settings(), telemetry, publisher=publisher))
    async with asgi.router.lifespan_context(asgi):
        yield
