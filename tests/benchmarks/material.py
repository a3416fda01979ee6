"""What is fed: one declaration, one LightGBM model, and events with their true scores."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import lightgbm
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contracts.declaration import Declaration
from services.training.domain.table import PREFIX
from services.training.run.dataset import Rows
from services.training.run.trainers import BoostedTrainer, Files
from shared.drift.baseline import Baseline
from shared.drift.fitting import Held, Reference, fit

MODEL = "benchmark"
START = datetime(2024, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=2)
INTS, FLOATS = 5, 10
NAMES = [f"measurement_{n:02}" for n in range(INTS + FLOATS)]
TRAINED_ON = 20_000
LIMIT = 100_000


def declaration() -> Declaration:
    """Declare fifteen bounded numbers, of which five are whole, and a binary label."""
    features = {
        name: {"type": "int" if n < INTS else "float", "min": -LIMIT, "max": LIMIT}
        for n, name in enumerate(NAMES)
    }
    document = {
        "apiVersion": "driftwheel/v1",
        "kind": "Model",
        "metadata": {"name": MODEL},
        "spec": {
            "task": "binary",
            "features": features,
            "label": {"name": "happened", "horizon": "6h"},
            "prior": 0.5,
        },
    }
    return Declaration.model_validate_json(json.dumps(document))


def values(rows: int, seed: int) -> NDArray[np.float64]:
    """Draw (rows, 15) features: whole numbers, and decimals with four places."""
    drawn = np.random.default_rng(seed).normal(0, 300, (rows, INTS + FLOATS))
    return np.hstack([drawn[:, :INTS].round(0) + 0.0, drawn[:, INTS:].round(4)])


def labels(matrix: NDArray[np.float64], seed: int) -> NDArray[np.bool_]:
    """Draw (rows,) labels that depend on the features, with noise."""
    noise = np.random.default_rng(seed).normal(0, 1, len(matrix))
    signal = np.sin(matrix[:, 0] / 150) + matrix[:, 7] * matrix[:, 8] / 90_000 + matrix[:, 12] / 400
    return np.asarray(signal + noise > 0)


def trained(trees: int) -> Files:
    """Train a LightGBM model of 31 leaves per tree as the training service does; files of it."""
    matrix = values(TRAINED_ON, seed=1)
    columns = {PREFIX + name: matrix[:, n] for n, name in enumerate(NAMES)}
    table = pa.table({**columns, "label": labels(matrix, seed=2)})
    return BoostedTrainer(threads=1).fit(Rows(declaration(), table), None, trees).files


@dataclass(frozen=True)
class Events:
    """A stream of events, two seconds of event time apart.

    Attributes:
        matrix: (n, 15) features.
        first: number of the first event, which says when it happened.
        irregular: every record needs a general JSON decoder: keys in any order, an escape.

    """

    matrix: NDArray[np.float64]
    first: int = 0
    irregular: bool = False

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def start(self) -> datetime:
        """When the first event happened."""
        return START + self.first * STEP

    @property
    def _numbers(self) -> range:
        return range(self.first, self.first + len(self))

    @cached_property
    def ids(self) -> list[str]:
        """Name every event."""
        return [f"2024-01-01/vehicle-{n % 977:03}/{n:012}" for n in self._numbers]

    @cached_property
    def times(self) -> list[str]:
        """Spell every event time as CloudEvents do."""
        return [f"{START + n * STEP:%Y-%m-%dT%H:%M:%SZ}" for n in self._numbers]

    @cached_property
    def features(self) -> list[bytes]:
        """Write every event's features as JSON."""
        order, shuffle = list(range(len(NAMES))), random.Random(3)
        written = []
        for row in self.matrix.tolist():
            texts = [
                f'"{NAMES[n]}":{int(value) if n < INTS else value}' for n, value in enumerate(row)
            ]
            if self.irregular:
                shuffle.shuffle(order)
                texts = [texts[n] for n in order]
            written.append(("{" + ",".join(texts) + "}").encode())
        return written

    @cached_property
    def values(self) -> list[bytes]:
        """Write every event as JSON, 454 bytes on average."""
        spelled = [name.replace("-", r"\u002d") if self.irregular else name for name in self.ids]
        return [
            b'{"id":"%b","time":"%b","features":%b}' % (name.encode(), time.encode(), features)
            for name, time, features in zip(spelled, self.times, self.features, strict=True)
        ]

    def scores(self, files: Files) -> NDArray[np.float64]:
        """Score every event by the library itself."""
        booster = lightgbm.Booster(model_str=files["model.txt"].decode())
        return np.asarray(booster.predict(self.matrix, num_threads=1))


def poisoned(sound: Sequence[bytes], share: float) -> list[bytes]:
    """Spoil a share of the records in four ways, evenly spread."""
    every, spoiled = round(1 / share), list(sound)
    for number, at in enumerate(range(every // 2, len(spoiled), every)):
        value = spoiled[at]
        spoiled[at] = (
            value[:-1],
            value.replace(b'"id":', b'"name":'),
            value.replace(b'_03":', b'_03":"seven",":'),
            value.replace(b'_14":', b'_14":9e9,"_14":'),
        )[number % 4]
    return spoiled


def baseline() -> Baseline:
    """Fit what the monitor watches: scores drawn at random, as the predictions have them."""
    matrix = values(TRAINED_ON, seed=11)
    times = int(START.timestamp() * 1e6) + np.arange(TRAINED_ON) * (
        STEP // timedelta(microseconds=1)
    )
    features = dict(zip(NAMES, matrix.T, strict=True))
    scores = np.random.default_rng(12).uniform(0.01, 0.99, TRAINED_ON)
    happened = labels(matrix, seed=13).astype(np.float64)
    losses = -np.log(np.where(happened > 0, scores, 1 - scores))
    reference = Reference(
        task="binary",
        classes=(),
        window_us=declaration().spec.drift.window // timedelta(microseconds=1),
        kinds=dict.fromkeys(NAMES, "number"),
        importance=dict.fromkeys(NAMES, 1 / len(NAMES)),
        held_out=Held(times, features, scores, happened, losses, {}),
        past_times=times,
        past=features,
        delays_us=np.full(TRAINED_ON, 3_600_000_000),
        arrived=1.0,
    )
    return fit(reference, promise=1000, seed=1)
