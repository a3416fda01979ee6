"""Each service in memory: what its `parts` need in place of the world.

A new service adds one function here; the batteries find it by its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from contracts.documents import ROOT
from shared.service import Part
from tests.doubles import MemoryKafka, telemetry

SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/app.py"))


class Endless:
    """A launcher whose runs take for ever."""

    async def run(self, _: object) -> object:
        return await asyncio.Event().wait()


def ingest(kafka: MemoryKafka, _: Path) -> Sequence[Part]:
    """Hear declarations only."""
    return _parts("ingest", kafka, prefix=kafka.names.prefix)


def monitor(kafka: MemoryKafka, _: Path) -> Sequence[Part]:
    """Keep labels and windows in memory, under a clock that stands still."""
    from tests.service.monitor.store import MemoryStore
    from tests.service.monitor.world import MemoryLog

    return _parts(
        "monitor",
        kafka,
        prefix=kafka.names.prefix,
        store=MemoryStore(),
        log=MemoryLog(kafka),
        clock=lambda: datetime(2023, 11, 15, tzinfo=UTC),
    )


def registry(kafka: MemoryKafka, _: Path) -> Sequence[Part]:
    """Create topics nowhere."""
    from tests.service.registry.house import FakeDataTopics

    return _parts("registry", kafka, prefix=kafka.names.prefix, topics=FakeDataTopics())


def serving(kafka: MemoryKafka, folder: Path) -> Sequence[Part]:
    """Keep files in a folder of its own."""
    return _parts("serving", kafka, prefix=kafka.names.prefix, state=folder)


def training(kafka: MemoryKafka, folder: Path) -> Sequence[Part]:
    """Begin runs that never end."""
    prefix = kafka.names.prefix
    return _parts("training", kafka, prefix=prefix, state=folder, launcher=Endless())


def validation(kafka: MemoryKafka, _: Path) -> Sequence[Part]:
    """Remember copies in a dictionary."""
    from tests.service.validation.world import DictMemory

    return _parts("validation", kafka, prefix=kafka.names.prefix, memory=DictMemory())


SUBJECTS: dict[str, Callable[[MemoryKafka, Path], Sequence[Part]]] = {
    make.__name__: make for make in (ingest, monitor, registry, serving, training, validation)
}


def _parts(service: str, kafka: MemoryKafka, **options: object) -> Sequence[Part]:
    """Call the service's own `parts`; options that its settings know are settings."""
    settings = import_module(f"services.{service}.settings").Settings
    known = {name: value for name, value in options.items() if name in settings.model_fields}
    doubles = {name: value for name, value in options.items() if name not in known}
    app = import_module(f"services.{service}.app")
    parts: Sequence[Part] = app.parts(
        settings(**known), telemetry(service), publisher=kafka, **doubles
    )
    return parts
