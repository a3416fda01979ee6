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
    LinearTrainer,
    PriorTrainer,
    Trainer,
    Vector,
)
from shared.losses import losses
from shared.models import load

Report = Callable[[Mapping[str, object]], None]

TRIAL_ROWS = 50_000
CHANGED_TRIAL_ROWS = 400_000
SELECTION_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """A kind of model and the past it learns from.

    Attributes:
        window: all rows, the recent half of them, or those after a change.

    """

    algorithm: Literal["prior", "linear", "lightgbm"]
    window: Literal["all", "recent", "changed"]

    @property
    def name(self) -> str:
        """Write it as trials show it."""
        return f"{self.algorithm}, {self.window} rows"

    def past(self, rows: Rows, since: int | None) -> Rows:
        """Choose the rows to learn from.

        Args:
            rows: in time order.
            since: change point in microseconds; None leaves no rows after it.

        """
        first = {"all": 0, "recent": len(rows) // 2, "changed": len(rows)}
        if since is not None:
            first["changed"] = int(np.searchsorted(rows.times, since, side="left"))
        return rows.take(np.arange(first[self.window], len(rows)))


RECIPES = (
    Recipe("prior", "all"),
    Recipe("linear", "all"),
    Recipe("linear", "changed"),
    Recipe("lightgbm", "all"),
    Recipe("lightgbm", "recent"),
    Recipe("lightgbm", "changed"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """The picked recipe, fitted to all rows that it may learn from."""

    recipe: Recipe
    rounds: int | None
    files: Files
    trials: tuple[Trial, ...]
    rows: int


def search(
    fit: Rows,
    selection: Rows,
    learnable: Rows,
    *,
    threads: int,
    report: Report,
    since: int | None = None,
) -> Found:
    """Try every recipe, pick one, fit it again on more rows.

    The trials see evenly thinned rows where there are very many; the last fit sees them all. After
    a change, models that know what came before compete with models of what came after alone:
    after a change of concept only the new rows are right, after one of the inputs old and new are.

    Args:
        fit: rows to fit the trials on.
        selection: later rows to compare them on, and to stop boosting.
        learnable: rows for the last fit: both, as far as known in time.
        threads: for LightGBM.
        report: hears of every trial as it ends.
        since: change point in microseconds; None: nothing is known to have changed.

    """
    trainers: dict[str, Trainer] = {
        "prior": PriorTrainer(),
        "linear": LinearTrainer(),
        "lightgbm": BoostedTrainer(threads),
    }
    # One stride for all recipes: what is thinned more learns less than it will in the last fit.
    fit = fit.thinned(TRIAL_ROWS if since is None else CHANGED_TRIAL_ROWS)
    selection = selection.thinned(SELECTION_ROWS)
    tried = []
    for recipe in RECIPES:
        past = recipe.past(fit, since)
        attempt = _try(trainers[recipe.algorithm], recipe, past, selection) if len(past) else None
        if attempt is not None:
            report(attempt.trial.model_dump(include={"name", "rows", "loss"}))
            tried.append(attempt)
    picked = _picked(tried, selection, changed=since is not None)
    report({"picked": picked.recipe.name, "rounds": picked.rounds})
    past = picked.recipe.past(learnable, since)
    again = trainers[picked.recipe.algorithm].fit(past, None, picked.rounds)
    assert again is not None
    trials = tuple(attempt.trial for attempt in tried)
    return Found(picked.recipe, picked.rounds, again.files, trials, len(past))


@dataclass(frozen=True, slots=True)
class _Attempt:
    recipe: Recipe
    rounds: int | None
    losses: Vector
    trial: Trial


def _picked(tried: list[_Attempt], selection: Rows, *, changed: bool) -> _Attempt:
    """Pick the simplest within noise of the best, or after a change the best.

    The few days since a change are all noise, and the simplest would win by default.
    """
    losses_of_all = [attempt.losses for attempt in tried]
    if changed:
        return tried[int(np.argmin([loss.mean() for loss in losses_of_all]))]
    return tried[simplest_within_noise(losses_of_all, blocks_of(selection.times))]


def _try(trainer: Trainer, recipe: Recipe, past: Rows, selection: Rows) -> _Attempt | None:
    """Fit a recipe and measure it on the selection rows; None where it does not fit the task."""
    started = time.monotonic()
    fitted = trainer.fit(past, selection, None)
    if fitted is None:
        return None
    metric = past.declaration.spec.metric or ""
    loss = losses(metric, load(fitted.files).score(selection.features), selection.labels)
    seconds = round(time.monotonic() - started, 3)
    trial = Trial(name=recipe.name, rows=len(past), loss=float(loss.mean()), seconds=seconds)
    return _Attempt(recipe, fitted.rounds, loss, trial)
