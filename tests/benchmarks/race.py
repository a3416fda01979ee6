"""Variants of one job against their ceiling: rounds interleaved, a process for each variant."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from redis import Redis

from deploy.local.stack import Infrastructure
from tests.benchmarks.job import Job
from tests.benchmarks.process import worker
from tests.benchmarks.rows import Rows
from tests.benchmarks.world import World, world

WARM = 0.15
SECONDS_PER_EVENT = 0.004
START_S = 90.0
DATABASE = 9

Tell = Callable[[str], None]
Check = Callable[[World, Sequence[Rows]], None]


@dataclass(frozen=True, slots=True)
class Release:
    """What decides: the artifact in `state`, or the prior where there is none."""

    version: str
    artifact: str | None
    baseline: str | None = None


@dataclass(frozen=True)
class Contestant:
    """One variant in a race.

    Attributes:
        label: what readers see.
        variant: name of what the worker runs.
        inputs: what it hears.
        release: what decides, for those that ask.
        check: raises when what came out is wrong.
        awaited: events that are counted, where that is not each record heard; these are not warmed.
        share: of the inputs; slow ones get less.
        environment: variables of the worker.
        python: of the worker, where it is not ours.

    """

    label: str
    variant: str
    inputs: Sequence[Rows]
    release: Release
    check: Check
    awaited: int | None = None
    share: float = 1.0
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Path = Path(sys.executable)


@dataclass(frozen=True)
class Track:
    """Where races are run.

    Attributes:
        model: file with the text of the LightGBM model.
        profiles: folder for what cProfile saw of each worker; None: figures count.

    """

    real: Infrastructure
    state: Path
    model: Path
    profiles: Path | None = None

    def run(self, one: Contestant, says: str, *, checked: bool) -> dict[str, float]:
        """Load a fresh deployment, let the worker do it, look at what it said; CPU per event.

        Raises:
            Broken: the worker failed.
            AssertionError: its output is wrong.

        """
        with world(self.real.kafka.address) as where:
            inputs = [rows.share(one.share) for rows in one.inputs]
            asyncio.run(_prepare(where, one, inputs))
            before = self._infrastructure_cpu()
            job = self._job(where, one, inputs, says)
            with worker(job, one.environment, one.python) as running:
                found = running.reading(START_S + SECONDS_PER_EVENT * job.events)
            after = self._infrastructure_cpu()
            with Redis.from_url(self._redis) as memory:
                memory.flushdb()
            if checked:
                one.check(where, inputs)
        records = sum(map(len, inputs))
        measured_records = found["events"] if one.awaited is None else records
        return {
            "cpu_us": found["cpu_s"] / measured_records * 1e6,
            "per_s": measured_records / found["wall_s"],
            "rss_mb": found["rss_mb"],
            **{name: (after[name] - before[name]) / records * 1e6 for name in before},
        }

    def _job(self, where: World, one: Contestant, inputs: Sequence[Rows], says: str) -> Job:
        events = one.awaited or sum(map(len, inputs))
        return Job(
            variant=one.variant,
            kafka=where.kafka,
            redis=self._redis,
            prefix=where.prefix,
            hears=tuple(where.topic(rows.topic) for rows in inputs),
            says=where.names.prefix + says,
            state=str(self.state),
            model=str(self.model),
            warm=0 if one.awaited else int(WARM * events),
            events=events,
            profile=str(self.profiles / f"{says}-{one.label}.prof") if self.profiles else "",
        )

    @property
    def _redis(self) -> str:
        """A database of our own: emptied after each run."""
        return f"{self.real.redis.url}/{DATABASE}"

    def _infrastructure_cpu(self) -> dict[str, float]:
        pids = {"kafka_us": self.real.kafka.pid, "redis_us": self.real.redis.pid}
        used = {name: psutil.Process(pid).cpu_times() for name, pid in pids.items()}
        return {name: times.user + times.system for name, times in used.items()}


async def _prepare(where: World, one: Contestant, inputs: Sequence[Rows]) -> None:
    await where.release(one.release.version, one.release.artifact, one.release.baseline)
    await where.load(*inputs)


def race(
    track: Track,
    title: str,
    says: str,
    contestants: Sequence[Contestant],
    rounds: int,
    tell: Tell,
) -> list[dict[str, Any]]:
    """Let all run once per round; the first one is the ceiling of the others.

    Returns:
        A row per contestant: CPU per record heard, its ratio to the ceiling's in the same round.

    """
    samples: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for turn in range(rounds):
        ceiling = 0.0
        for one in contestants:
            found = track.run(one, says, checked=turn == 0)
            ceiling = ceiling or found["cpu_us"]
            compared = {"cpu_us": found["cpu_us"], "ratio": ceiling / found["cpu_us"]}
            for name, value in (compared | found).items():
                samples[one.label][name].append(value)
            tell(f"{title}, round {turn + 1}: {one.label} {found['cpu_us']:.2f} us per record")
    return [{"race": title, "variant": one.label, **samples[one.label]} for one in contestants]
