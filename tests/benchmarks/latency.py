"""From sent to received at an offered load: what the service adds to an echo at the same load."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from contracts.data import EVENTS_VALIDATED, PREDICTIONS
from tests.benchmarks.job import Job
from tests.benchmarks.offered import offered
from tests.benchmarks.process import worker
from tests.benchmarks.race import Release, Tell, Track
from tests.benchmarks.rows import Rows, in_step
from tests.benchmarks.world import world

RATES = (1_000, 5_000)
VARIANTS = {"echo": "echo", "driftwheel": "serving"}


def title(rate: int) -> str:
    """Name the race at a load."""
    return f"latency at {rate:,} events/s"


def measure(
    track: Track, rows: Rows, release: Release, rounds: int, seconds: float, tell: Tell
) -> list[dict[str, Any]]:
    """Offer every load to the echo and to serving, by turns.

    Returns:
        A row per load and variant; what is added is the difference to the echo of the same round.

    """
    found: dict[tuple[int, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for turn, rate, (label, variant) in itertools.product(range(rounds), RATES, VARIANTS.items()):
        took, cpu_us = _run(track, rows, release, variant, rate, seconds)
        own, echo = found[rate, label], found[rate, "echo"]
        for name, quantile in (("p50_ms", 50), ("p99_ms", 99)):
            own[name].append(float(np.percentile(took, quantile)) * 1e3)
            own[f"added_{name}"].append(own[name][-1] - echo[name][-1])
        own["cpu_us"].append(cpu_us)
        p50, p99 = own["p50_ms"][-1], own["p99_ms"][-1]
        tell(f"latency, round {turn + 1}: {label} at {rate}/s p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return [
        {"race": title(rate), "variant": label, **samples}
        for (rate, label), samples in sorted(found.items(), key=lambda item: item[0][0])
    ]


def _run(
    track: Track, rows: Rows, release: Release, variant: str, rate: int, seconds: float
) -> tuple[Sequence[float], float]:
    """Run one variant under one load; answers the latencies and its CPU per event."""
    with world(track.real.kafka.address) as where:
        asyncio.run(where.release(release.version, release.artifact))
        job = Job(
            variant=variant,
            kafka=where.kafka,
            redis=track.real.redis.url,
            prefix=where.prefix,
            hears=(where.topic(EVENTS_VALIDATED),),
            says=where.topic(PREDICTIONS),
            state=str(track.state),
            model=str(track.model),
            warm=rate,
            events=0,
        )
        with worker(job, {}) as running:
            stream = ((job.hears[0], row) for row in itertools.cycle(in_step(rows)))
            took = asyncio.run(offered(where.kafka, stream, job.hears[0], job.says, rate, seconds))
            used = running.stopped()
        return took, used["cpu_s"] / used["events"] * 1e6
