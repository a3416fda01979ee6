"""The whole chain: published to predicted with all six services up, and what each of them costs."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import psutil
from aiokafka import AIOKafkaConsumer

from contracts import DataTopic
from contracts.data import EVENTS, LABELS, OUTCOMES, PREDICTIONS
from deploy.local.fetch import kafka_jars
from deploy.local.folder import Folder
from deploy.local.progress import progress
from deploy.local.stack import Plan, Stack
from deploy.local.up import running
from driftwheel import Client
from tests.benchmarks.delayed import user_labels
from tests.benchmarks.figures import middle
from tests.benchmarks.material import STEP, Events, declaration, values
from tests.benchmarks.offered import offered
from tests.benchmarks.race import Tell
from tests.benchmarks.rows import Rows, in_step, user_rows
from tests.benchmarks.world import World

PREFIX = "driftwheel."
SCHOOL = 20_000
WARM = 0.15
LOAD_S = 10.0
PATIENCE_S = 300.0
# Younger predictions still wait for their labels.
WAITING = timedelta(hours=6, minutes=30) // STEP + 500


@dataclass
class Chain:
    """The running stack, and the stream so far."""

    stack: Stack
    where: World
    generated: int = 0
    samples: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def next(self, number: int) -> tuple[Rows, Rows]:
        """Go on with the stream: so many events, and their labels."""
        events = Events(values(number, seed=self.generated), first=self.generated)
        self.generated += number
        return user_rows(EVENTS, events.ids, events.values), user_labels(events)

    async def learn(self) -> str:
        """Declare the model, and let the loop train and promote its first version."""
        async with Client(kafka=self.where.kafka, prefix=PREFIX) as client:
            document = declaration().model_dump(mode="json", exclude_none=True)
            document["spec"]["retraining"]["cooldown"] = "3650d"
            await client.apply(document)
            await self.where.load(*self.next(SCHOOL))
            facts = client.facts("release.changed", follow=True)
            async with asyncio.timeout(PATIENCE_S):
                async for fact in facts:
                    stable = fact.content["plan"]["stable"] if fact else {"version": "0.0.0"}
                    if stable["version"] != "0.0.0":
                        return f"{stable['algorithm']} {stable['version']}"
        raise AssertionError("the stream of facts has no end")

    async def drain(self, number: int) -> float:
        """Publish a backlog and wait until it is through; events per second after the warm-up."""
        rows = self.next(number)
        before = self._cpu()
        async with _listening(self.where, PREDICTIONS) as listening:
            loading = asyncio.create_task(self.where.load(*rows))
            moments = [(0, time.monotonic())]
            async with asyncio.timeout(PATIENCE_S):
                while moments[-1][0] < number:
                    heard = sum(map(len, (await listening.getmany(timeout_ms=100)).values()))
                    moments.append((moments[-1][0] + heard, time.monotonic()))
            await loading
        await self._joined()
        after = self._cpu()
        for name, seconds in after.items():
            self.samples[name]["cpu_us"].append((seconds - before[name]) / number * 1e6)
        warm = next(moment for moment in moments if moment[0] >= WARM * number)
        (done, end), (begun, start) = moments[-1], warm
        return (done - begun) / (end - start)

    async def _joined(self) -> None:
        """Wait until all outcomes that can be due are out."""
        async with (
            _listening(self.where, PREDICTIONS) as predictions,
            _listening(self.where, OUTCOMES) as outcomes,
            asyncio.timeout(PATIENCE_S),
        ):
            due = await _length(predictions) - WAITING
            while await _length(outcomes) < due:
                await asyncio.sleep(0.2)

    async def loaded(self, rate: float) -> tuple[float, float]:
        """Offer a load, labels too; median and 99th percentile in ms."""
        events, labels = self.next(int(rate * (LOAD_S + 10)))
        pairs = itertools.zip_longest(in_step(events), in_step(labels))
        topics = (self.where.topic(EVENTS), self.where.topic(LABELS))
        stream: Any = (
            (topic, row)
            for pair in pairs
            for topic, row in zip(topics, pair, strict=True)
            if row is not None
        )
        says = self.where.topic(PREDICTIONS)
        took = await offered(self.where.kafka, stream, topics[0], says, rate, LOAD_S)
        p50, p99 = np.percentile(took, (50, 99)) * 1e3
        return float(p50), float(p99)

    def _cpu(self) -> dict[str, float]:
        used = {one.name: psutil.Process(one.pid).cpu_times() for one in self.stack.processes}
        return {name: times.user + times.system for name, times in used.items()}


def measure(folder: Path, rounds: int, events: int, tell: Tell) -> list[dict[str, Any]]:
    """Let a backlog of events and labels through, then offer half the rate that was reached.

    Returns:
        A row for the chain, and one per process: CPU per event, labels and outcomes included.

    """
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        progress(quiet=True) as line,
        running(Folder(Path(own).resolve()), Plan(), kafka_jars(), line, Event()) as stack,
    ):
        assert stack.kafka is not None
        chain = Chain(stack, World(stack.kafka.address, PREFIX))
        model = asyncio.run(chain.learn())
        tell(f"chain: {model} decides")
        own_samples = chain.samples["chain"]
        for turn in range(rounds):
            rate = asyncio.run(chain.drain(events))
            p50, p99 = asyncio.run(chain.loaded(rate / 2))
            own_samples["events_per_s"].append(rate)
            own_samples["p50_ms_at_half"].append(p50)
            own_samples["p99_ms_at_half"].append(p99)
            tell(f"chain, round {turn + 1}: {rate:,.0f} events/s; at half p50 {p50:.1f} ms")
        samples = dict(chain.samples)
        return [
            {"race": "whole chain", "variant": "driftwheel", **samples.pop("chain")},
            *(
                {"race": "CPU per event", "process": name, **found}
                for name, found in samples.items()
            ),
        ]


def summary(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """Take the headline figure."""
    return {"chain_events_per_s": middle(rows[0]["events_per_s"])}


@asynccontextmanager
async def _listening(where: World, topic: DataTopic) -> AsyncIterator[AIOKafkaConsumer]:
    """Listen from now on."""
    consumer = AIOKafkaConsumer(where.topic(topic), bootstrap_servers=where.kafka)
    async with consumer:
        await consumer.seek_to_end()
        yield consumer


async def _length(listening: AIOKafkaConsumer) -> int:
    return sum((await listening.end_offsets(listening.assignment())).values())
