"""How each kind of model is fitted; what comes out are the files that serving opens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.declaration import Spec
from services.training.domain import linear
from services.training.run.dataset import Rows
from shared.models import expand

Vector = NDArray[np.float64]
Files = Mapping[str, bytes]

CELLS = 8_000_000
WIDEST = 1_500
MOST_CODES = 200
FEWEST_ROUNDS, MOST_ROUNDS = 50, 200
PATIENCE = 40
METRICS = {"log_loss": "binary_logloss", "brier": "l2", "mae": "l1", "mse": "l2"}
OBJECTIVES = {"mae": "regression_l1", "mse": "regression"}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model's files, and after how many rounds it was best (where there are rounds)."""

    files: Files
    rounds: int | None = None


class Trainer(Protocol):
    """Fits one kind of model."""

    def fit(self, rows: Rows, held_out: Rows | None, rounds: int | None) -> Fitted | None:
        """Fit to `rows`.

        Args:
            rows: at least one, sorted by (time, id).
            held_out: rows that tell when to stop; None when `rounds` says it.
            rounds: how long to train, where training has rounds.

        Returns:
            None where this kind of model does not fit the task.

        """
        ...


class PriorTrainer:
    """The best constant: the mean label, the median for mae, the share of each class."""

    def fit(self, rows: Rows, held_out: Rows | None, rounds: int | None) -> Fitted:
        """Average the labels."""
        spec, answer = rows.declaration.spec, rows.labels.mean()
        if spec.task == "multiclass":
            counts = np.bincount(rows.labels.astype(int), minlength=len(spec.classes or ()))
            answer = (counts + 1) / (counts + 1).sum()
        elif spec.task == "binary":
            answer = (rows.labels.sum() + 1) / (len(rows) + 2)
        elif spec.metric == "mae":
            answer = np.median(rows.labels)
        return Fitted(_document("prior", spec, answer=answer.tolist()))


class LinearTrainer:
    """A penalised linear model on z-scores and indicators, fitted to evenly thinned rows."""

    def fit(self, rows: Rows, held_out: Rows | None, rounds: int | None) -> Fitted | None:
        """Fit, unless the rows expand to more columns than a dense solver should take."""
        spec, columns = rows.declaration.spec, rows.columns()
        sizes = [len(columns.codes[name]) if name in columns.codes else 2 for name in columns.names]
        width = 1 + sum(size for size in sizes if size <= MOST_CODES)
        if width > WIDEST:
            return None
        thinned = rows.take(np.arange(0, len(rows), 1 + len(rows) * width // CELLS))
        matrix = thinned.matrix(columns)
        design = [
            self._rule(matrix[:, index], columns.codes.get(name))
            for index, name in enumerate(columns.names)
        ]
        kind = {"binary": "logistic", "multiclass": "softmax"}.get(spec.task)
        kind = kind or ("absolutes" if spec.metric == "mae" else "squares")
        target = thinned.labels
        if kind == "softmax":
            target = (target[:, None] == np.arange(len(spec.classes or ()))).astype(np.float64)
        fitted = linear.fit(expand(matrix, design), target, kind)  # type: ignore[arg-type]
        return Fitted(
            _document(
                "linear", spec, columns=columns.to_json(), design=design, weights=fitted.tolist()
            )
        )

    @staticmethod
    def _rule(values: Vector, codes: Mapping[str, int] | None) -> dict[str, Any]:
        """Say how a column is expanded; a category of very many values is left out."""
        if codes is not None:
            return {"codes": len(codes) if len(codes) <= MOST_CODES else 0}
        known = values[~np.isnan(values)]
        if not len(known):
            return {"mean": 0.0, "sd": 1.0}
        return {"mean": float(known.mean()), "sd": float(known.std()) or 1.0}


class BoostedTrainer:
    """LightGBM in its bit-reproducible profile.

    Args:
        threads: speeds it up and changes no bit of the model.

    """

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def parameters(self, spec: Spec) -> dict[str, Any]:
        """All parameters that shape the model."""
        task: dict[str, Any] = {"objective": "binary", "metric": METRICS[spec.metric or "log_loss"]}
        if spec.task == "multiclass":
            classes = len(spec.classes or ())
            task = {"objective": "multiclass", "num_class": classes, "metric": "multi_logloss"}
        elif spec.task == "regression":
            task["objective"] = OBJECTIVES[spec.metric or "mae"]
        return {
            **task,
            "learning_rate": 0.06,
            "num_leaves": 31,
            "min_data_in_leaf": 50,
            "lambda_l2": 1.0,
            "max_bin": 63,
            "cat_smooth": 50.0,
            "cat_l2": 20.0,
            "min_data_per_group": 100,
            "feature_fraction": 0.6,
            "seed": 1,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def fit(self, rows: Rows, held_out: Rows | None, rounds: int | None) -> Fitted:
        """Fit with early stopping on `held_out`, or for exactly `rounds` rounds."""
        import lightgbm

        spec, columns = rows.declaration.spec, rows.columns()
        settings = {**self.parameters(spec), "num_threads": self.threads}
        categories = [columns.names.index(name) for name in columns.codes]
        data = lightgbm.Dataset(
            rows.matrix(columns),
            rows.labels,
            categorical_feature=categories,
            params=settings,
            free_raw_data=True,
        )
        validation: list[Any] = []
        callbacks: list[Any] = []
        if held_out is not None:
            validation = [data.create_valid(held_out.matrix(columns), held_out.labels)]
            callbacks = [lightgbm.early_stopping(PATIENCE, verbose=False)]
        booster = lightgbm.train(
            settings,
            data,
            rounds or MOST_ROUNDS,
            valid_sets=validation,
            callbacks=callbacks,
            keep_training_booster=True,
        )
        best = rounds
        if held_out is not None:
            # An earlier stop is more often the weather of those days than the end of learning.
            best = min(max(booster.best_iteration, FEWEST_ROUNDS), booster.current_iteration())
        text = booster.model_to_string(num_iteration=best)
        files = _document("lightgbm", spec, columns=columns.to_json())
        return Fitted({**files, "model.txt": _without_parameters(text).encode()}, best)


def _document(algorithm: str, spec: Spec, **content: Any) -> dict[str, bytes]:
    document = {"algorithm": algorithm, "task": spec.task, **content}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return {"model.json": text.encode()}


def _without_parameters(text: str) -> str:
    """Drop the block that repeats the parameters: it names the number of threads."""
    head, _, tail = text.partition("\nparameters:")
    return head + tail.partition("end of parameters\n")[2]
