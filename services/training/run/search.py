"""From simple to complex: what is tried, what is picked, and the picked one fitted again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from contracts.training import Trial
from services.training.domain.comparison import blocks_of, simplest_within_noise
from services.training.run.dataset import Rows
from services.training.run.trainers import (
    BoostedTrainer,
    Files,
    Fitted,
    LinearTrainer,
    PriorTrainer,
    Trainer,
)
from shared.losses import losses
from shared.models import load

Report = Callable[[Mapping[str, object]], None]

TRIAL_ROWS = 100_000
SELECTION_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """A kind of model and the past it learns from.

    Attributes:
        window: all rows, or the recent half of them.

    """

    algorithm: Literal["prior", "linear", "lightgbm"]
    window: Literal["all", "recent"]

    @property
    def name(self) -> str:
        """Write it as trials show it."""
        return f"{self.algorithm}, {self.window} rows"


RECIPES = (
    Recipe("prior", "all"),
    Recipe("linear", "all"),
    Recipe("lightgbm", "all"),
    Recipe("lightgbm", "recent"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """The picked recipe, fitted to all rows that it may learn from."""

    recipe: Recipe
    rounds: int | None
    files: Files
    trials: tuple[Trial, ...]
    rows: int


def search(fit: Rows, selection: Rows, learnable: Rows, *, threads: int, report: Report) -> Found:
    """Try every recipe, pick the simplest within noise of the best, fit it again on more rows.

    The trials see evenly thinned rows where there are very many; the last fit sees them all.

    Args:
        fit: rows to fit the trials on.
        selection: later rows to compare them on, and to stop boosting.
        learnable: rows for the last fit: both, as far as known in time.
        threads: for LightGBM.
        report: hears of every trial as it ends.

    """
    trainers: dict[str, Trainer] = {
        "prior": PriorTrainer(),
        "linear": LinearTrainer(),
        "lightgbm": BoostedTrainer(threads),
    }
    metric = fit.declaration.spec.metric or ""
    fit, selection = _thinned(fit, TRIAL_ROWS), _thinned(selection, SELECTION_ROWS)
    tried, trials, measured = [], [], []
    for recipe in RECIPES:
        started = time.monotonic()
        fitted = _fit(trainers[recipe.algorithm], recipe, fit, selection, None)
        if fitted is None:
            continue
        loss = losses(metric, load(fitted[0].files).score(selection.features), selection.labels)
        trial = Trial(
            name=recipe.name,
            rows=fitted[1],
            loss=float(loss.mean()),
            seconds=round(time.monotonic() - started, 3),
        )
        report({"trial": trial.name, "rows": trial.rows, "loss": trial.loss})
        tried.append((recipe, fitted[0].rounds))
        trials.append(trial)
        measured.append(loss)
    recipe, rounds = tried[simplest_within_noise(measured, blocks_of(selection.times))]
    report({"picked": recipe.name, "rounds": rounds})
    again = _fit(trainers[recipe.algorithm], recipe, learnable, None, rounds)
    assert again is not None
    return Found(recipe, rounds, again[0].files, tuple(trials), again[1])


def _thinned(rows: Rows, most: int) -> Rows:
    """Take every k-th row, so that at most `most` are left."""
    return rows.take(np.arange(0, len(rows), -(-len(rows) // most)))


def _fit(
    trainer: Trainer, recipe: Recipe, rows: Rows, held_out: Rows | None, rounds: int | None
) -> tuple[Fitted, int] | None:
    if recipe.window == "recent":
        rows = rows.take(np.arange(len(rows) // 2, len(rows)))
    fitted = trainer.fit(rows, held_out, rounds)
    return None if fitted is None else (fitted, len(rows))
