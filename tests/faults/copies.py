"""Several copies of a service: one is frozen, some come and go."""

from __future__ import annotations

import asyncio
import signal
import time
from functools import partial

import httpx

from deploy.local.services import ServiceProcess
from tests.faults.finding import Finding
from tests.faults.kills import flowing
from tests.faults.trial import Trial, trial
from tests.faults.world import World, signalled, within

LOGS = ("events.validated", "labels.validated", "predictions", "outcomes")
SCALED = ("validation", "serving", "monitor")
FROZEN_S = 9.0  # the session lasts 6 s
JOINED_S = 8.0  # for a copy to take over its partitions


async def stopped(world: World, rounds: int = 1) -> Finding:
    """SIGSTOP one of two members of each data-plane service, beyond its session.

    Recovery: the longest from SIGCONT to the next output of that service.
    """
    async with trial(world, "stopped") as one:
        await flowing(one)
        added = await _added(world, [1])
        took = [await _frozen(one, name) for _ in range(rounds) for name in SCALED]
        await one.settle()
        await _removed(added)
        known = [seconds for seconds in took if seconds is not None]
        return one.finding(
            f"SIGSTOP of a consumer for {FROZEN_S:g} s, beyond its session, two members",
            "lost 0, visible duplicates 0",
            {"every service went on": len(known) == len(took)},
            recovery_s=max(known, default=None),
        )


async def scaled(world: World) -> Finding:
    """Scale the data plane from one copy to three and back, under load."""
    async with trial(world, "scaled") as one:
        await flowing(one)
        added = await _added(world, [1, 2])
        await asyncio.sleep(JOINED_S)
        idle = [process.name for process in added if not await within(20, partial(_works, process))]
        await _removed(added)
        await asyncio.sleep(2)
        await one.settle()
        copies = sum(one.history.copies()[kind] for kind in LOGS)
        return one.finding(
            "scale a service 1 -> 3 -> 1 under load",
            "lost 0, log duplicates 0",
            {
                f"log duplicates 0 ({copies})": copies == 0,
                f"every copy shared the work (idle: {idle})": not idle,
            },
        )


async def _added(world: World, instances: list[int]) -> list[ServiceProcess]:
    added = [world.copy(name, instance) for name in SCALED for instance in instances]
    for process in added:
        process.start()
    await world.until_ready(*added)
    await asyncio.sleep(1)
    return added


async def _removed(added: list[ServiceProcess]) -> None:
    await asyncio.gather(*(asyncio.to_thread(process.stop) for process in added))


async def _frozen(one: Trial, name: str) -> float | None:
    process = one.world.service(name)
    signalled(process, signal.SIGSTOP)
    await asyncio.sleep(FROZEN_S)
    at = time.time()
    signalled(process, signal.SIGCONT)
    return await one.recovered(name, at)


async def _works(process: ServiceProcess) -> bool:
    """Look whether a copy has handled any record."""
    async with httpx.AsyncClient(base_url=process.url, timeout=5) as http:
        try:
            lines = (await http.get("/metrics")).text.splitlines()
        except httpx.HTTPError:
            return False
    found = [line for line in lines if line.startswith("driftwheel_records_consumed_total{")]
    return any(float(line.rpartition(" ")[2]) > 0 for line in found)
