"""Redis emptied, killed, and read-only."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from contracts.performance import PERFORMANCE_MEASURED
from tests.faults.finding import Finding
from tests.faults.history import Effect
from tests.faults.kills import flowing
from tests.faults.observer import read
from tests.faults.trial import Trial, trial
from tests.faults.world import World

BOUND = "no wrong model, lost 0, rebuilt"
Act = Callable[[World, Redis], Awaitable[float]]


async def emptied(world: World) -> Finding:
    """FLUSHALL, twice; for the recovery the second one counts.

    Recovery, here and below: from the moment at which Redis takes writes again to the first outcome
    of an event that was sent after the fault.
    """

    async def act(_: World, redis: Redis) -> float:
        await redis.flushall()
        await asyncio.sleep(4)
        at = time.time()
        await redis.flushall()
        return at

    return await _faulted(world, "Redis FLUSHALL, twice", act)


async def killed(world: World, seconds: float = 60) -> Finding:
    """SIGKILL Redis and start it again after a while."""

    async def act(world: World, _: Redis) -> float:
        at = time.time()
        await asyncio.to_thread(world.redis.kill)
        await asyncio.sleep(seconds)
        world.redis.start()
        await world.until_ready(world.redis)
        return at

    return await _faulted(world, f"Redis killed {seconds:g} s", act)


async def read_only(world: World, seconds: float = 8) -> Finding:
    """Make Redis a replica of nobody's; then have it want replicas that are not there."""

    async def act(_: World, redis: Redis) -> float:
        at = time.time()
        await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        await asyncio.sleep(seconds)
        await redis.execute_command("REPLICAOF", "NO", "ONE")
        await asyncio.sleep(2)
        await redis.config_set("min-replicas-to-write", 1)
        await asyncio.sleep(seconds)
        await redis.config_set("min-replicas-to-write", 0)
        return at

    return await _faulted(world, f"Redis read-only, {seconds:g} s in two ways each", act)


async def _faulted(world: World, fault: str, act: Act) -> Finding:
    redis = Redis.from_url(world.redis.url)
    async with trial(world, "redis") as one:
        await flowing(one)
        began = time.time()
        at = await act(world, redis)
        back = time.time()
        first = await one.recovered("monitor", at, 30)
        await redis.aclose()
        await one.settle(90)
        versions = {json.loads(e[0].content or b"")["version"] for e in _predictions(one)}
        overcounted = await windows_counted_twice(one)
        deaths = world.deaths_since(began)
        return one.finding(
            fault,
            BOUND,
            {
                f"every prediction is of version 0.0.0 ({versions})": versions == {"0.0.0"},
                f"no outcome is in a window twice ({overcounted})": not overcounted,
                "outcomes come again": first is not None,
                "no service died": not deaths,
            },
            recovery_s=None if first is None else max(0.0, at + first - back),
        )


def _predictions(one: Trial) -> list[list[Effect]]:
    return list(one.history.effects["predictions"].values())


async def windows_counted_twice(one: Trial) -> list[str]:
    """List the windows whose measured number exceeds that of their outcomes."""
    outcomes = Counter(
        json.loads(effects[0].content or b"")["time"][:15]
        for effects in one.history.effects["outcomes"].values()
    )
    topic = one.world.names.topic(PERFORMANCE_MEASURED)
    told = [
        json.loads(record.value or b"") for record in await read(one.world.kafka.address, topic)
    ]
    measured = {e["window"]["start"][:15]: e["n"] for e in told if e["model"] == one.model}
    return [start for start, number in measured.items() if number > outcomes[start]]
