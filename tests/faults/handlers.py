"""Handlers that fail, output that cannot be published, and records that end the process."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

from shared.kafka.handling import TRIES
from shared.kafka.limit import IN_A_ROW
from tests.faults.finding import Finding
from tests.faults.planted import BROKEN, DEADLINE
from tests.faults.stage import stage
from tests.faults.world import World, signalled, within

MAX_RECORDS = 1000
ALWAYS = 1_000_000_000


async def bad_deploy(world: World) -> Finding:
    """A handler that takes every record for poison; then the deploy is mended.

    Recovery: from the start of the mended process to the end of the backlog.
    """
    async with stage(world, **{BROKEN: "1"}) as one:
        await one.send([{"id": f"good-{number}"} for number in range(4 * IN_A_ROW)])
        halted = await one.says("halted")
        parked, alive = set(await one.letters()), one.process.alive
        for name in parked:
            one.history.sends[name].must = ("dlq",)
        began = time.time()
        await one.deployed()
        resumed = await one.settle()
        limit = IN_A_ROW + MAX_RECORDS
        return one.finding(
            "100 % poison (a bad deploy)",
            "stops at the limit, says so, lost 0; resumes after the fix",
            {
                "it says that it is halted": halted,
                "it is still there to say so": alive,
                f"{len(parked)} were parked, at most {limit}": 0 < len(parked) <= limit,
                "the mended one handles the rest": resumed,
            },
            recovery_s=time.time() - began,
            detail={"parked": len(parked)},
        )


async def raising(world: World) -> Finding:
    """A handler that raises once, three times, always: for one record alone, and among others."""
    async with stage(world) as one:
        for times in (1, TRIES - 1):
            await one.send([{"id": f"alone-{times}", "does": "raise", "times": times}])
            await one.settle()
        for times in (TRIES, ALWAYS):
            await one.send([{"id": f"alone-{times}", "does": "raise", "times": times}], "dlq")
            await one.settle()
        crowd: list[dict[str, Any]] = [{"id": f"good-{number}"} for number in range(400)]
        crowd[101] |= {"does": "raise", "times": 1}
        await one.send(crowd[:200])
        await one.send([{"id": "always", "does": "raise", "times": ALWAYS}], "dlq")
        await one.send(crowd[200:])
        await one.settle()
        letters = await one.letters()
        expected = {f"alone-{TRIES}", f"alone-{ALWAYS}", "always"}
        tried = letters.get(f"alone-{ALWAYS}", {}).get("dlq-reason", "")
        return one.finding(
            "handler raises once, three times, always",
            "retries and parking as documented, order kept",
            {
                "parked is what always fails, or three times alone": set(letters) == expected,
                "each as a bug": {letter["dlq-class"] for letter in letters.values()} == {"bug"},
                f"after {TRIES} tries ({tried})": f"try {TRIES}" in tried,
            },
            detail={"parked": sorted(letters)},
        )


async def unpublishable(world: World) -> Finding:
    """Output that is too large; output that Kafka does not acknowledge in time."""
    async with stage(world, **{DEADLINE: "3"}) as one:
        crowd = [{"id": f"good-{number}"} for number in range(300)]
        await one.send(crowd[:100])
        await one.send([{"id": "large", "does": "grow"}], "dlq")
        await one.send(crowd[100:200])
        await one.settle()
        kind = await one.letters()
        await within(5, lambda: one.has_committed(201))
        before = await one.committed()
        await one.send([{"id": "sleeps", "does": "sleep", "seconds": 2}, *crowd[200:]])
        await asyncio.sleep(1)
        signalled(world.kafka, signal.SIGSTOP)
        timed_out = await one.says("not acknowledged", 30)
        world.release((one.process.name,))
        signalled(one.process, signal.SIGKILL)
        signalled(world.kafka, signal.SIGCONT)
        await world.until_ready(world.kafka)
        after = await one.committed()
        back = time.time()
        one.process.start()
        world.keep(one.process)
        await one.settle()
        return one.finding(
            "output cannot be published (too large, time-out)",
            "input not committed until acknowledged or parked",
            {
                "what is too large is parked as unpublishable":
                    kind.get("large", {}).get("dlq-class") == "unpublishable",
                "it says that Kafka has not acknowledged": timed_out,
                f"nothing was committed meanwhile ({before} -> {after})": before == after,
                "what was acknowledged before was committed": before == 201,
            },
            recovery_s=time.time() - back,
        )  # fmt: skip


async def crash_poison(world: World) -> Finding:
    """A record whose handling ends the process.

    Recovery: from the record's acknowledgement until all others are handled.
    """
    async with stage(world) as one:
        crowd = [{"id": f"good-{number}"} for number in range(200)]
        await one.send(crowd[:100])
        await one.settle()
        at = time.time()
        await one.send([{"id": "deadly", "does": "abort"}], "dlq")
        await one.send(crowd[100:])
        await one.settle(45)
        took = time.time() - at
        await within(1, lambda: False)
        deaths = [death for death in world.deaths_since(at) if death.name == one.process.name]
        letters = await one.letters()
        return one.finding(
            "crash-poison: a record whose handling kills the process",
            "skipped to the dead letters after three starts, others untouched",
            {
                "it alone is in the dead letters": set(letters) == {"deadly"},
                "as a crash": letters.get("deadly", {}).get("dlq-class") == "crash",
                f"after three starts ({len(deaths)} deaths)": len(deaths) == 3,
            },
            recovery_s=took,
            detail={"exit_codes": [death.exit_code for death in deaths]},
        )
