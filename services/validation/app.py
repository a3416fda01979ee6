"""Wiring: settings -> memory, declarations -> consumer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.applications import Starlette

from contracts.data import EVENTS, LABELS
from contracts.quality import QUALITY_MEASURED
from contracts.registry import MODEL_DECLARED
from services.validation.adapters.redis import RedisMemory
from services.validation.handlers import Declared, Limits, validate
from services.validation.ports import Memory
from services.validation.settings import Settings
from shared import events
from shared.kafka import (
    Consumer,
    CrashLedger,
    Names,
    Producer,
    Publisher,
    Table,
    Topics,
    partitions,
)
from shared.kernels import Kernels
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up


def build(settings: Settings | None = None, **doubles: Any) -> Starlette:
    """Make the application; nothing connects before it starts."""
    telemetry = set_up("validation")
    return application(telemetry, parts(settings or Settings(), telemetry, **doubles))


def parts(
    settings: Settings,
    telemetry: Telemetry,
    *,
    publisher: Publisher | None = None,
    memory: Memory | None = None,
) -> list[Part]:
    """List the service's parts in the order in which they start.

    Args:
        settings: every knob.
        telemetry: of the service.
        publisher: stands in for the producer.
        memory: stands in for Redis.

    """
    at: dict[str, Any] = {"kafka": settings.kafka, "names": Names(settings.prefix)}
    producer, declared = Producer(settings.kafka, telemetry), Declared()
    redis = RedisMemory(
        settings.redis,
        settings.prefix,
        ids_ttl_s=settings.dedupe_ttl_s,
        values_ttl_s=settings.quality_ttl_s,
    )
    crashes = CrashLedger(settings.state / "ledger", telemetry.service, settings.instance)
    consumer = Consumer(
        telemetry,
        "validation",
        **at,
        publisher=publisher or producer,
        instance=settings.instance,
        ledger=crashes,
        parked_limit=settings.parked_limit,
        max_records=settings.max_records,
    )
    needs = {
        "declared": declared,
        "memory": memory or redis,
        "names": at["names"],
        "limits": Limits(timedelta(seconds=settings.future_s), settings.largest_record),
        "telemetry": telemetry,
    }
    for topic in (EVENTS, LABELS):
        consumer.on_data(topic, validate, **needs)
    return [
        Topics(**at, topics=(MODEL_DECLARED, QUALITY_MEASURED), replicas=settings.replicas),
        *([] if memory else [redis]),
        *([] if publisher else [producer]),
        Table(telemetry, MODEL_DECLARED, declared.apply, **at),
        crashes,
        consumer,
        Kernels(telemetry, (events.load, partitions.load)),
    ]
