"""The process in which one variant runs: `python -m tests.benchmarks.worker '<job as JSON>'`.

It prints one line of JSON, what its meter read, when the events are done or on SIGUSR1.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib import import_module

from tests.benchmarks.job import Job
from tests.benchmarks.meter import Meter

Variant = Callable[[Job, Meter], AbstractAsyncContextManager[None]]

# Named, not imported: a variant's process must not pay for the libraries of the others.
VARIANTS: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
    "echo": ("echo", "echo", {}),
    "echo-bare": ("echo", "echo", {"headers": False}),
    "echo-tuned": ("echo", "echo", {"tuned": True}),
    "serving": ("ours", "service", {"name": "serving"}),
    "validation": ("ours", "service", {"name": "validation"}),
    "monitor": ("ours", "monitor", {}),
    "aiokafka": ("tutorial", "aiokafka_tutorial", {}),
    "faststream": ("tutorial", "faststream_docs", {}),
    "quix": ("quix", "quix_docs", {}),
}


def variant(name: str) -> Variant:
    """Find a variant by its name."""
    module, function, options = VARIANTS[name]
    return partial(getattr(import_module(f"tests.benchmarks.{module}"), function), **options)


async def run(job: Job) -> dict[str, float]:
    """Run a variant until its events are done, or until it is told to stop."""
    meter, stop = Meter(job.warm, job.events), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, stop.set)
    async with variant(job.variant)(job, meter):
        ends = [asyncio.create_task(event.wait()) for event in (meter.done, stop)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        return meter.reading()


def main(job: Job) -> dict[str, float]:
    """Run a job, under the profiler if that is asked for."""
    if not job.profile:
        return asyncio.run(run(job))
    profiler = cProfile.Profile()
    try:
        return profiler.runcall(asyncio.run, run(job))
    finally:
        profiler.dump_stats(job.profile)


if __name__ == "__main__":
    print(json.dumps(main(Job(**json.loads(sys.argv[1])))))
