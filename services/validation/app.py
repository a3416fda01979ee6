"""Wiring: settings -> memory, declarations -> consumer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.applications import Starlette

from contracts.data import EVENTS, LABELS
from contracts.quality import QUALITY_MEASURED
from contracts.registry import MODEL_DECLARED
from services.validation.adapters.redis import RedisMemory
from services.validation.handlers import Declared, Policy, validate
from services.validation.settings import Settings
from shared.kafka import Consumer, Names, Producer, Table, Topics
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up


def build(settings: Settings | None = None, **doubles: Any) -> Starlette:
    """Make the application; nothing connects before it starts."""
    telemetry = set_up("validation")
    return application(telemetry, parts(settings or Settings(), telemetry, **doubles))


def parts(
    settings: Settings, telemetry: Telemetry, *, publisher: Any = None, memory: Any = None
) -> list[Part]:
    """List the service's parts in the order in which they start; doubles replace real ones."""
    names, kafka = Names(settings.prefix), settings.kafka
    publisher = publisher or Producer(kafka)
    memory = memory or RedisMemory(settings.redis, settings.prefix)
    declared = Declared()
    consumer = Consumer(
        telemetry,
        "validation",
        kafka=kafka,
        names=names,
        publisher=publisher,
        instance=settings.instance,
        max_records=settings.max_records,
    )
    policy = Policy(
        timedelta(seconds=settings.future_s),
        settings.largest_record,
        settings.dedupe_ttl_s,
        settings.quality_ttl_s,
    )
    for topic in (EVENTS, LABELS):
        consumer.on_data(
            topic,
            validate,
            declared=declared,
            memory=memory,
            names=names,
            policy=policy,
            telemetry=telemetry,
        )
    return [
        Topics(kafka, names, (MODEL_DECLARED, QUALITY_MEASURED), settings.replicas),
        memory,
        publisher,
        Table(telemetry, MODEL_DECLARED, declared.apply, kafka=kafka, names=names),
        consumer,
    ]
