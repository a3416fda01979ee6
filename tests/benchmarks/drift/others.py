"""The study's tasks for the usual rules and for river's detectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.drift import head, labels, rivals, sequential
from tests.benchmarks.drift.columns import Values
from tests.benchmarks.drift.effort import Effort, seed
from tests.benchmarks.drift.judging import Delay, Quiet, Told, memoryless
from tests.benchmarks.drift.streams import Counted, Drift, Stream

Judge = Callable[[int, Drift | None], rivals.Judged]


def of_rules(effort: Effort, setting: str, rows: int) -> Told:
    """Judge features by the usual rules."""
    rng = np.random.default_rng(seed(2, setting, rows))
    reference = head.reference(Stream(head.COLUMNS, setting, rows), rng)[:-1]
    stream = Stream(head.FEATURES, setting, rows)
    psi = _by_counts(stream, rivals.psi(reference), rng)
    nannyml = _by_counts(stream, rivals.nannyml(reference, head.REFERENCE_WINDOWS), rng)
    told = [
        _tried(psi, effort, effort.windows, stream, rng),
        _tried(nannyml, effort, effort.windows, stream, rng),
        _tried(_by_rows(stream, reference, rng), effort, effort.row_windows, stream, rng),
    ]
    return [one for quiet, _ in told for one in quiet], [one for _, slow in told for one in slow]


def _by_counts(stream: Stream, rule: rivals.Binned, rng: np.random.Generator) -> Judge:
    counted = Counted(stream, rule.bins.places, int(rule.bins.starts[-1]))
    return lambda windows, drift: rule.judge(counted.draw(stream.levels(windows, rng), rng, drift))


def _by_rows(stream: Stream, reference: Sequence[Values], rng: np.random.Generator) -> Judge:
    judge = rivals.by_rows(reference)

    def judged(windows: int, drift: Drift | None) -> rivals.Judged:
        parts = [judge(part) for part in stream.values(stream.levels(windows, rng), rng, drift)]
        return {rule: np.concatenate([part[rule] for part in parts]) for rule in parts[0]}

    return judged


def _tried(
    alarms: Judge,
    effort: Effort,
    windows: int,
    stream: Stream,
    rng: np.random.Generator,
) -> Told:
    where = stream.setting, stream.rows
    quiet = [
        Quiet(rule, *where, windows, int(own.sum())) for rule, own in alarms(windows, None).items()
    ]
    delays = []
    for case in head.cases(*where):
        tries = [
            alarms(effort.row_repeats, case.drift(number)) for number in range(effort.row_drifts)
        ]
        for rule in tries[0]:
            chances = [float(one[rule].mean()) for one in tries]
            delays.append(memoryless((rule, *where, case.name), chances, rng))
    return quiet, delays


def of_river(effort: Effort, setting: str, rows: int, river: Path) -> Told:
    """Follow every number with river's detectors, in sd of the reference; alarm when any alarms."""
    rng = np.random.default_rng(seed(3, setting, rows))
    stream = Stream([head.FEATURES[place] for place in head.NUMBERS], setting, rows)
    windows = max(1, effort.values // rows)
    found = sequential.alarms(river, list(_series(stream, windows, rng, None)))
    quiet = [
        Quiet(rule, setting, rows, windows, len({at // rows for one in places for at in one}))
        for rule, places in found.items()
    ]
    delays = []
    for case in head.cases(setting, rows):
        if case.kind == "number":
            delays += _followed(effort, stream, case, river, rng)
    return quiet, delays


def _series(stream: Stream, windows: int, rng: np.random.Generator, drift: Drift | None) -> Values:
    """Draw each column's values one after the other, in its sd: (columns, values)."""
    parts = list(stream.values(stream.levels(windows, rng), rng, drift))
    raw = np.stack([np.concatenate(column).ravel() for column in zip(*parts, strict=True)])
    normal = [column.points() for column in stream.columns]
    middle = np.array([np.nanmean(one) for one in normal])[:, None]
    spread = np.array([np.nanstd(one) for one in normal])[:, None]
    return np.nan_to_num((raw - middle) / spread)


def _followed(
    effort: Effort, stream: Stream, case: head.Case, river: Path, rng: np.random.Generator
) -> list[Delay]:
    """Show the drifting columns alone: the others raise no alarm that counts."""
    warm, horizon = ceil(2000 / stream.rows), min(effort.horizon, ceil(20_000 / stream.rows))
    onset, series = warm * stream.rows, []
    for number in range(effort.row_drifts):
        drift = case.drift(number)
        moving = [stream.columns[place] for place in drift.columns]
        every = Drift(drift.move, tuple(range(len(moving))))
        part = Stream(moving, stream.setting, stream.rows)
        before, after = _series(part, warm, rng, None), _series(part, horizon, rng, every)
        series += list(np.hstack([before, after]))
    where = stream.setting, stream.rows, case.name
    return [
        Delay(
            rule,
            *where,
            [
                _windows(min(each), onset, stream.rows)
                for each in np.reshape(
                    [sequential.first_since(one, onset) for one in found], (-1, case.many)
                )
            ],
        )
        for rule, found in sequential.alarms(river, series, [onset] * len(series)).items()
    ]


def _windows(place: float, onset: int, rows: int) -> float:
    """Count windows from the onset to the one that holds a place."""
    return inf if place == inf else (place - onset) // rows + 1.0


def of_river_labels(effort: Effort, world: labels.World, river: Path) -> Told:
    """Follow the losses with river's detectors."""
    rng = np.random.default_rng(seed(5, world.name, world.rows))
    windows = max(1, min(effort.windows, 4 * effort.values // world.rows))
    sizes = [min(labels.PART, windows - begin) for begin in range(0, windows, labels.PART)]
    parts = [own for size in sizes for own in world.draw(size, rng).errors()]
    ends = np.cumsum([len(part) for part in parts])
    found = sequential.alarms(river, [np.concatenate(parts)])
    name = world.name
    quiet = [
        Quiet(rule, name, world.rows, windows, len(set(np.searchsorted(ends, one, "right"))))
        for rule, (one,) in found.items()
    ]
    delays = []
    for case in labels.CASES:
        if case.world == world:
            delays += _losses_followed(effort, case, river, rng)
    return quiet, delays


def _losses_followed(
    effort: Effort, case: labels.Case, river: Path, rng: np.random.Generator
) -> list[Delay]:
    world, series, ends = case.world, [], []
    for _ in range(effort.streams):
        before = np.concatenate(world.draw(labels.WARM, rng).errors())
        after = world.draw(min(effort.horizon, 30_000 // world.rows), rng, case.change).errors()
        series.append(np.concatenate([before, *after]))
        ends.append(np.cumsum([len(before), *map(len, after)]))
    told = sequential.alarms(river, series, [int(own[0]) for own in ends])
    where = world.name, world.rows, case.name
    return [
        Delay(rule, *where, [_window(one, own) for one, own in zip(found, ends, strict=True)])
        for rule, found in told.items()
    ]


def _window(places: Sequence[int], ends: NDArray[np.intp]) -> float:
    """Number the window of the first alarm since the first end; inf: there was none."""
    place = sequential.first_since(places, int(ends[0]))
    return inf if place == inf else float(np.searchsorted(ends, place, "right"))
