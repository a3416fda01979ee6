"""SIGTERM with work in flight: everything begun is brought to its end, and the exit is clean."""

from __future__ import annotations

import asyncio
import signal
import time

from driftwheel import Client
from shared.service import GRACE_S
from tests.faults.finding import Finding
from tests.faults.kills import SERVICES, flowing
from tests.faults.load import declaration
from tests.faults.stage import stage
from tests.faults.trial import OUTPUT, trial
from tests.faults.world import World, signalled, within

BOUND = f"lost 0, exit 0 within grace ({GRACE_S:g} s) + 2 s"
BURST, COMMANDS = 2000, 5


async def sigterm(world: World) -> Finding:
    """SIGTERM each service with a burst before it, or commands.

    Recovery: the longest from the signal to the exit.
    """
    took: dict[str, float] = {}
    async with trial(world, "term") as one, Client(kafka=world.kafka.address) as client:
        await flowing(one)
        unfinished = {}
        commands: list[asyncio.Task[object]] = []
        for name in SERVICES:
            await one.load.burst(BURST)
            if name == "registry":
                orders = [client.apply(declaration(one.model)) for _ in range(COMMANDS)]
                commands = [asyncio.ensure_future(order) for order in orders]
                await asyncio.sleep(0.2)
            kind = OUTPUT.get(name)
            unfinished[name] = len(one.history.missing_of(kind)) if kind else 0
            took[name] = await _terminated(world, name)
            await world.ready_again(world.service(name), 30)
        answered = await asyncio.gather(*commands, return_exceptions=True)
        await one.settle()
        codes = {death.name: death.exit_code for death in world.deaths[-len(SERVICES) :]}
        return one.finding(
            "SIGTERM of each service with a batch in flight",
            BOUND,
            {
                f"every exit code is 0 ({codes})": set(codes.values()) == {0},
                "every command is answered": not any(
                    isinstance(a, BaseException) for a in answered
                ),
            },
            times={f"every exit within {GRACE_S + 2:g} s": max(took.values()) <= GRACE_S + 2},
            recovery_s=max(took.values()),
            detail={"exit_s": took, "unfinished": unfinished},
        )


async def slow_batch(world: World, seconds: float = 4) -> Finding:
    """SIGTERM while one batch takes long: it is finished and committed first, and not done twice.

    Recovery: from the signal to the exit.
    """
    async with stage(world) as one:
        await one.send([{"id": f"good-{number}"} for number in range(50)])
        await one.settle()
        await one.send([{"id": "sleeps", "does": "sleep", "seconds": seconds}])
        await asyncio.sleep(1)
        dead = len(world.deaths)
        at = time.time()
        signalled(one.process, signal.SIGTERM)
        await within(GRACE_S + 5, lambda: len(world.deaths) > dead)
        death = world.deaths[-1]
        await one.send([{"id": f"later-{number}"} for number in range(50)])
        await one.settle()
        copies = one.history.verdict().copies
        return one.finding(
            f"SIGTERM with a batch of {seconds:g} s in flight",
            BOUND,
            {
                f"exit code 0 ({death.exit_code})": death.exit_code == 0,
                f"it is not done again ({copies} copies)": copies == 0,
            },
            times={f"exit within {GRACE_S + 2:g} s": death.at - at <= GRACE_S + 2},
            recovery_s=death.at - at,
        )


async def _terminated(world: World, name: str) -> float:
    dead, at = len(world.deaths), time.time()
    signalled(world.service(name), signal.SIGTERM)
    await within(GRACE_S + 30, lambda: len(world.deaths) > dead)
    return round(world.deaths[-1].at - at, 2) if len(world.deaths) > dead else GRACE_S + 30
