"""Services that are killed, asked to stop, frozen and copied while events go through."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Sequence

from tests.faults.finding import Finding
from tests.faults.trial import OUTPUT, Trial, trial
from tests.faults.world import World, within

SERVICES = ("validation", "serving", "monitor", "training", "registry", "ingest")
BETWEEN_S = 6.0  # six services: each then lives 30 s, and its supervisor takes it for healthy
RECOVERY_S = 3.0


async def sigkill(world: World, rounds: int = 5, between_s: float = BETWEEN_S) -> Finding:
    """SIGKILL each service in turn.

    Recovery: from the signal to the broker's append of the first output (of the service killed) for
    an event that was sent after it; of training and registry, until they say that they are ready.
    """
    took: dict[str, list[float | None]] = defaultdict(list)
    async with trial(world, "kill") as one:
        await flowing(one)
        for _ in range(rounds):
            for name in SERVICES:
                began = time.monotonic()
                took[name].append(await _killed(one, name))
                await _rest(began, between_s)
        await one.settle()
    all_of = [seconds for each in took.values() for seconds in each]
    back = [seconds for seconds in all_of if seconds is not None]
    p95 = percentile(back, 0.95)
    return one.finding(
        f"SIGKILL of each service, {rounds} times each",
        f"lost 0, visible duplicates 0, recovery p95 <= {RECOVERY_S:g} s",
        {"every service came back": len(back) == len(all_of)},
        times={f"recovery p95 {p95:.2f} s is within {RECOVERY_S:g} s": p95 <= RECOVERY_S},
        recovery_s=p95,
        detail={name: [s and round(s, 2) for s in each] for name, each in took.items()},
    )


async def _killed(one: Trial, name: str) -> float | None:
    at = one.world.kill(name)
    if name in OUTPUT:
        return await one.recovered(name, at)
    process, dead = one.world.service(name), len(one.world.deaths)
    await within(5, lambda: len(one.world.deaths) > dead or process.alive)
    return time.time() - at if await one.world.ready_again(process, 20) else None


async def flowing(one: Trial) -> None:
    """Wait until the whole chain works."""
    assert await within(30, lambda: one.history.effects["outcomes"]), "no outcome in 30 s"


async def _rest(began: float, seconds: float) -> None:
    await within(began + seconds - time.monotonic(), lambda: False, every=0.1)


def percentile(values: Sequence[float], share: float) -> float:
    """Find the nearest-rank percentile; infinite for no values."""
    ranked = sorted(values)
    return ranked[math.ceil(share * len(ranked)) - 1] if ranked else math.inf
