"""How a deployment is: its services, and how far its consumer groups are behind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from driftwheel.endpoints import Endpoints
from driftwheel.writer import connect

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """Whether a service can work now, and if not, why."""

    name: str
    url: str
    ready: bool
    reason: str | None


async def services(endpoints: Endpoints) -> list[ServiceHealth]:
    """Ask every known service for /readyz."""
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
        asked = [_service(http, name, url) for name, url in endpoints.services.items()]
        return list(await asyncio.gather(*asked))


async def lags(endpoints: Endpoints) -> dict[str, int]:
    """Measure how many records each of the deployment's consumer groups is behind.

    Raises:
        Unreachable: Kafka does not answer.

    """
    admin = AIOKafkaAdminClient(bootstrap_servers=endpoints.kafka)
    await connect(admin, endpoints)
    try:
        groups = [group for group, *_ in await admin.list_consumer_groups()]
        committed = {
            group: await admin.list_consumer_group_offsets(group)
            for group in sorted(groups)
            if group.startswith(endpoints.prefix)
        }
    finally:
        await admin.close()
    ends = await _ends(endpoints, {position for of in committed.values() for position in of})
    return {
        group: sum(max(0, ends[at] - of[at].offset) for at in of if at in ends)
        for group, of in committed.items()
    }


async def _service(http: httpx.AsyncClient, name: str, url: str) -> ServiceHealth:
    try:
        answer = await http.get(f"{url}/readyz")
        body: Mapping[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return ServiceHealth(name, url, False, f"does not answer: {error or type(error).__name__}")
    return ServiceHealth(name, url, answer.status_code == 200, body.get("reason"))


async def _ends(endpoints: Endpoints, positions: set[TopicPartition]) -> dict[Any, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=endpoints.kafka)
    await connect(consumer, endpoints)
    try:
        topics = await consumer.topics()  # asking for a deleted one would not return
        present = [position for position in positions if position.topic in topics]
        return dict(await consumer.end_offsets(present)) if present else {}
    finally:
        await consumer.stop()
