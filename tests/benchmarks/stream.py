"""Serving, validation and monitor on real Kafka and Redis, against an echo of the same records."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from contracts.data import EVENTS, EVENTS_VALIDATED, OUTCOMES, PREDICTIONS
from deploy.local.stack import Infrastructure, infrastructure
from shared.artifacts import Artifacts
from tests.benchmarks import checks, latency
from tests.benchmarks.delayed import delayed
from tests.benchmarks.figures import middle
from tests.benchmarks.material import MODEL, Events, baseline, poisoned, trained, values
from tests.benchmarks.race import Contestant, Release, Tell, Track, race
from tests.benchmarks.rows import Rows, own_rows, user_rows

RACES = ("serving", "validation", "monitor", "latency")
TREES = 200
LOAD_S = 10.0
PEERS = 5_000
POISON = 0.01
PRIOR = Release("0.0.0", None)


@dataclass(frozen=True)
class Feed:
    """The inputs of all races, made when they are first needed.

    Attributes:
        events: per run.
        artifact: digest of the LightGBM model in the artifact store.
        baseline: digest of a drift baseline there.
        model: file with that model as LightGBM writes it.
        quix: folder of the environment that has Quix Streams, if there is one.

    """

    events: int
    artifact: str
    baseline: str
    model: Path
    quix: Path | None = None

    @cached_property
    def regular(self) -> Events:
        """Events as one program writes them."""
        return Events(values(self.events, seed=5))

    @cached_property
    def irregular(self) -> Events:
        """The same events in any spelling."""
        return Events(self.regular.matrix, irregular=True)

    @cached_property
    def scores(self) -> dict[str, float]:
        """What the library itself answers: id -> score."""
        booster = lightgbm.Booster(model_file=self.model)
        answers = np.asarray(booster.predict(self.regular.matrix, num_threads=1))
        return dict(zip(self.regular.ids, answers.tolist(), strict=True))

    def validated(self, events: Events) -> Rows:
        """Lay out events as validation writes them."""
        return own_rows(EVENTS_VALIDATED, events.ids, events.times, events.values)

    def release(self) -> Release:
        """Release the LightGBM model."""
        return Release("1.0.0", self.artifact)


def stored(
    real: Infrastructure, folder: Path, trees: int, profiles: Path | None = None
) -> tuple[Track, str, str]:
    """Store a model as training does; answers where to race, and digests of model and baseline."""
    files, model = trained(trees), folder / "model.txt"
    store = Artifacts(folder / "state" / "artifacts")
    artifact, watched = store.put(files), store.put({"baseline.json": baseline().to_bytes()})
    model.write_bytes(files["model.txt"])
    return Track(real, folder / "state", model, profiles), artifact, watched


def measure(
    folder: Path,
    rounds: int,
    events: int,
    tell: Tell,
    only: Collection[str] = RACES,
    *,
    quix: Path | None = None,
    profiles: Path | None = None,
) -> list[dict[str, Any]]:
    """Run the races that are asked for.

    Args:
        folder: for what Kafka and Redis keep meanwhile.
        rounds: interleaved.
        events: per run.
        tell: told of every run.
        only: names of races.
        quix: folder of the environment that has Quix Streams, if there is one.
        profiles: folder for what cProfile saw; then the figures mean nothing.

    """
    with tempfile.TemporaryDirectory(dir=folder) as own, infrastructure(own) as real:
        track, artifact, watched = stored(real, Path(own).resolve(), TREES, profiles)
        feed = Feed(events, artifact, watched, track.model, quix)
        runs = {
            "serving": (PREDICTIONS, serving),
            "validation": (EVENTS_VALIDATED, validation),
            "monitor": (OUTCOMES, monitor),
        }
        rows = [
            row
            for name, (says, contestants) in runs.items()
            if name in only
            for row in race(track, name, says.name(MODEL), contestants(feed), rounds, tell)
        ]
        if "latency" in only:
            heard = feed.validated(feed.regular)
            rows += latency.measure(track, heard, feed.release(), rounds, LOAD_S, tell)
        return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """Take the headline figures."""
    own = {row["race"]: row for row in rows if row["variant"] == "driftwheel"}
    ratios = {
        f"{name}_echo_ratio": middle(row["ratio"]) for name, row in own.items() if "ratio" in row
    }
    loaded = own.get(latency.title(5_000), {})
    added = {
        f"latency_{name}_5k": middle(samples)
        for name, samples in loaded.items()
        if name.startswith("added")
    }
    return ratios | added


def serving(feed: Feed) -> list[Contestant]:
    """Predict, in all ways that serving has, and as the peers' documentation does it."""
    regular = [feed.validated(feed.regular)]
    irregular = [feed.validated(feed.irregular)]
    release, few = feed.release(), min(1.0, PEERS / feed.events)
    copied = partial(checks.copied, PREDICTIONS)
    right = partial(checks.right, feed.scores)
    peers: list[tuple[str, str, Path | None]] = [
        ("aiokafka tutorial", "aiokafka", None),
        ("FastStream docs", "faststream", None),
    ]
    peers += [("Quix Streams docs", "quix", feed.quix)] if feed.quix else []
    return [
        Contestant("echo", "echo", regular, release, copied),
        Contestant("echo, no headers", "echo-bare", regular, release, copied),
        Contestant("echo, gc tuned", "echo-tuned", regular, release, copied),
        Contestant("driftwheel", "serving", regular, release, right),
        Contestant("driftwheel, any JSON", "serving", irregular, release, right),
        Contestant(
            "driftwheel, library",
            *("serving", regular, release, right),
            environment={"DRIFTWHEEL_KERNELS": "false"},
        ),
        Contestant("driftwheel, prior", "serving", regular, PRIOR, copied),
        *(
            Contestant(
                *(label, variant, regular, release, right),
                share=few,
                python=place / "bin" / "python" if place else Path(sys.executable),
            )
            for label, variant, place in peers
        ),
    ]


def validation(feed: Feed) -> list[Contestant]:
    """Judge events, one in a hundred of which is poison."""
    spoiled = poisoned(feed.regular.values, POISON)
    heard = [user_rows(EVENTS, feed.regular.ids, spoiled)]
    judged = partial(checks.judged, spoiled, feed.regular.values)
    return [
        Contestant("echo", "echo", heard, PRIOR, partial(checks.copied, EVENTS_VALIDATED)),
        Contestant("driftwheel", "validation", heard, PRIOR, judged),
    ]


def monitor(feed: Feed) -> list[Contestant]:
    """Count predictions, join them with their labels, measure windows and judge them."""
    heard = delayed(Events(feed.regular.matrix[: feed.events // 2]))
    awaited = feed.events // 2
    joined = partial(checks.joined, awaited)
    bare, watched = Release("1.0.0", None), Release("1.0.0", None, feed.baseline)
    return [
        Contestant("echo", "echo", heard, PRIOR, partial(checks.copied, OUTCOMES)),
        Contestant("driftwheel", "monitor", heard, watched, joined, awaited=awaited),
        Contestant("driftwheel, no baseline", "monitor", heard, bare, joined, awaited=awaited),
    ]
