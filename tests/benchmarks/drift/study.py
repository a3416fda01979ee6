"""The study as tasks: each a setting, a size of window and a seed, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from tests.benchmarks.drift import head, labels, others
from tests.benchmarks.drift.effort import Effort, seed
from tests.benchmarks.drift.judging import Told
from tests.benchmarks.drift.streams import SETTINGS, Stream

Task = Callable[[], Told]


def tasks(effort: Effort, river: Path | None) -> list[Task]:
    """List what is to be done, the longest first.

    Args:
        effort: how much of it.
        river: folder of its environment; None: its detectors are left out.

    """
    grounds = [(setting, rows) for rows in sorted(effort.sizes)[::-1] for setting in SETTINGS]
    worlds = [world for world in labels.WORLDS if world.rows in effort.sizes]
    listed: list[Task] = [
        partial(of_head, effort, *ground, number)
        for ground in grounds
        for number in range(effort.baselines)
    ]
    listed += [partial(others.of_rules, effort, *ground) for ground in grounds]
    listed += [partial(of_tail, effort, world) for world in worlds]
    if river:
        listed += [partial(others.of_river, effort, *ground, river) for ground in grounds]
        listed += [partial(others.of_river_labels, effort, world, river) for world in worlds]
    return listed


def run(listed: Sequence[Task], processes: int) -> Iterator[Told]:
    """Work through tasks; yields as they end."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(task) for task in listed]):
            yield done.result()


def of_head(effort: Effort, setting: str, rows: int, number: int) -> Told:
    """Watch features and scores with ours, calibrated on one reference."""
    rng = np.random.default_rng(seed(1, setting, rows, number))
    ours = head.Head(Stream(head.COLUMNS, setting, rows), rng, number)
    quiet = ours.quiet(effort.windows // effort.baselines)
    first = number * effort.repetitions
    return quiet, ours.delays(effort.repetitions, effort.horizon, first)


def of_tail(effort: Effort, world: labels.World) -> Told:
    """Watch labels with ours."""
    quiet, delays = [], []
    baselines = min(effort.baselines, 4)
    for number in range(baselines):
        rng = np.random.default_rng(seed(4, world.name, world.rows, number))
        ours = labels.Tail(world, rng, number)
        quiet += ours.quiet(effort.windows // baselines)
        for case in labels.CASES:
            if case.world == world:
                delays += ours.delays(case, 2 * effort.repetitions, effort.horizon)
    return quiet, delays
