"""Wiring of the registry: settings -> adapters -> handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from contracts.registry import (
    MODEL_DECLARED,
    REGISTRY_COMMANDS,
    REGISTRY_RECORDED,
    RELEASE_CHANGED,
)
from contracts.training import MODEL_TRAINED, TRAINING_REQUESTED
from services.registry.adapters.topics import KafkaDataTopics
from services.registry.domain.ledger import Ledger
from services.registry.domain.published import Published
from services.registry.handlers import (
    carry_out,
    judge,
    read_declaration,
    read_entry,
    read_release,
    tell_what_follows,
)
from services.registry.http import routes
from services.registry.ports import DataTopics
from services.registry.settings import Settings
from shared.kafka import Consumer, CrashLedger, Names, Position, Producer, Publisher, Table, Topics
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up

HEARD = (REGISTRY_COMMANDS, MODEL_TRAINED, REGISTRY_RECORDED)
TOLD = (REGISTRY_RECORDED, MODEL_DECLARED, RELEASE_CHANGED, TRAINING_REQUESTED)


def build(settings: Settings | None = None, **doubles: Any) -> Starlette:
    """Make the application; nothing connects before it runs."""
    telemetry = set_up("registry")
    return application(telemetry, *assembled(settings or Settings(), telemetry, **doubles))


def parts(settings: Settings, telemetry: Telemetry, **doubles: Any) -> list[Part]:
    """Make the parts alone, in the order of their start."""
    return assembled(settings, telemetry, **doubles)[0]


def assembled(
    settings: Settings,
    telemetry: Telemetry,
    *,
    publisher: Publisher | None = None,
    topics: DataTopics | None = None,
) -> tuple[list[Part], list[Route]]:
    """Make the parts and the routes over one ledger.

    Args:
        settings: every knob.
        telemetry: of the service.
        publisher: stands in for the producer.
        topics: stands in for the creation of topics.

    """
    names, ledger, told = Names(settings.prefix), Ledger(), Published()
    producer = Producer(settings.kafka, telemetry)
    at: dict[str, Any] = {"kafka": settings.kafka, "names": names}
    tables: list[Part] = [
        Table(telemetry, REGISTRY_RECORDED, partial(read_entry, ledger=ledger), **at),
        Table(telemetry, MODEL_DECLARED, partial(read_declaration, told=told), **at),
        Table(telemetry, RELEASE_CHANGED, partial(read_release, told=told), **at),
    ]
    crashes = CrashLedger(settings.state / "ledger", telemetry.service, settings.instance)
    consumer = Consumer(
        telemetry,
        "registry",
        **at,
        publisher=publisher or producer,
        instance=settings.instance,
        ledger=crashes,
        parked_limit=settings.parked_limit,
        # A plan's history needs the append time of the plan before, so one has to be safe first.
        max_records=1,
    )
    data_topics = topics or KafkaDataTopics(
        settings.kafka, names, settings.partitions, settings.replicas
    )
    consumer.on(REGISTRY_COMMANDS, carry_out, ledger=ledger, topics=data_topics)
    consumer.on(MODEL_TRAINED, judge, ledger=ledger)
    consumer.on(
        REGISTRY_RECORDED, tell_what_follows, ledger=ledger, told=told, lead_ms=settings.lead_ms
    )
    consumer.on_assigned(_where_something_is_missing(names, ledger, told))
    control = Topics(settings.kafka, names, tuple(dict.fromkeys(HEARD + TOLD)), settings.replicas)
    connected: list[Part] = [] if publisher else [producer]
    return [control, *connected, *tables, crashes, consumer], routes(ledger)


def _where_something_is_missing(
    names: Names, ledger: Ledger, told: Published
) -> Callable[[frozenset[Position]], Awaitable[dict[Position, int]]]:
    """Hear the log again from its beginning when a topic that follows lacks something."""

    async def positions(assigned: frozenset[Position]) -> dict[Position, int]:
        lacking = any(told.lacks(name, book.state) for name, book in ledger.confirmed().items())
        recorded = names.topic(REGISTRY_RECORDED)
        return {p: 0 for p in assigned if lacking and p.topic == recorded}

    return positions
