"""Kafka killed, frozen, and not there yet."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.faults.finding import Finding
from tests.faults.kills import flowing
from tests.faults.trial import Trial, trial
from tests.faults.world import World, signalled

FIRST_EVENT_S = 3.0
BOUND = "lost 0, first event <= 3 s after it is back, no wedged producer, no crash loop"


async def killed(world: World, away_s: float) -> Finding:
    """SIGKILL the broker and start it again.

    Recovery, here and below: from the moment at which Kafka answers and every partition has its
    leader (frozen: at which it goes on) to the append of the first prediction for an event that was
    sent after the fault.
    """
    async with trial(world, "broker") as one:
        await flowing(one)
        at = time.time()
        await asyncio.to_thread(world.kafka.kill)
        await asyncio.sleep(away_s)
        await _back(world)
        return await _judged(one, f"Kafka kill -9 and restart, {away_s:g} s away", at, time.time())


async def frozen(world: World, seconds: float = 20) -> Finding:
    """SIGSTOP the broker for a while."""
    async with trial(world, "frozen") as one:
        await flowing(one)
        at = time.time()
        signalled(world.kafka, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        signalled(world.kafka, signal.SIGCONT)
        return await _judged(one, f"Kafka frozen {seconds:g} s", at, time.time())


async def absent(world: World, seconds: float = 30) -> Finding:
    """Start every service while there is no broker."""
    async with trial(world, "absent") as one:
        await flowing(one)
        services = world.stack.services
        world.release([process.name for process in services])
        await asyncio.gather(*(asyncio.to_thread(process.stop) for process in services))
        await asyncio.to_thread(world.kafka.stop)
        at = time.time()
        for process in services:
            process.start()
            world.keep(process)
        await asyncio.sleep(seconds)
        await _back(world)
        return await _judged(one, f"Kafka absent for the first {seconds:g} s", at, time.time())


async def _back(world: World) -> None:
    world.kafka.start()
    await world.until_ready(world.kafka)


async def _judged(one: Trial, fault: str, at: float, back: float) -> Finding:
    first = await one.recovered("serving", at, seconds=60)
    recovery = None if first is None else max(0.0, at + first - back)
    outcome = await one.recovered("monitor", at, seconds=60)
    await one.settle(90)
    deaths = one.world.deaths_since(at)
    return one.finding(
        fault,
        BOUND,
        {
            "predictions come again": recovery is not None,
            f"no service died ({', '.join(death.name for death in deaths)})": not deaths,
        },
        times={f"the first within {FIRST_EVENT_S:g} s": (recovery or 0) <= FIRST_EVENT_S},
        recovery_s=recovery,
        detail={"first_outcome_s": outcome and round(at + outcome - back, 2)},
    )
