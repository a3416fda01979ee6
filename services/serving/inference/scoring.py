"""Scores and decides rows of declared features with one model, a single row without numpy."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import Protocol, runtime_checkable

import numpy as np

from services.serving.domain.answers import Rule
from services.serving.domain.features import Feature, Row
from services.serving.domain.replies import Score
from shared.columns import Columns
from shared.models import Model

Decided = tuple[Sequence[Score], Sequence[int]]


@runtime_checkable
class SingleRow(Protocol):
    """A model with a fast way for one row."""

    columns: Columns

    def score_one(self, values: Sequence[float]) -> float | list[float]:
        """Score one row: numbers in the order of its columns, NaN is missing."""
        ...


class Scorer:
    """Knows the way from declared features to the columns of a model, and what a score decides.

    Args:
        model: scores.
        features: in declared order.
        rule: turns scores into decisions.

    """

    def __init__(self, model: Model, features: Sequence[Feature], rule: Rule) -> None:
        self.model, self.rule = model, rule
        self.names = tuple(feature.name for feature in features)
        self._single = model.score_one if isinstance(model, SingleRow) else None
        columns = model.columns
        self._codes = dict(columns.codes) if columns else {}
        self._wanted = columns.names if columns else ()
        self._same = self.names == self._wanted and not self._codes
        self._straight = self._same and not any(feature.nullable for feature in features)

    def one(self, row: Row) -> Decided:
        """Score a row, with a probability or value or a list with one per class, and decide it.

        Raises:
            ArithmeticError: the score is no finite number.

        """
        if self._single is None:
            return self.many([row])
        score = self._single(row if self._straight else self._numbers(row))
        finite = isfinite(score) if isinstance(score, float) else all(map(isfinite, score))
        if not finite:
            raise ArithmeticError("the model answers with something that is no number")
        return (score,), (self.rule.choice(score),)

    def many(self, rows: Sequence[Row]) -> Decided:
        """Score and decide n rows; an overflow is no warning, for its result is looked at.

        Raises:
            ArithmeticError: a score is no finite number.

        """
        with np.errstate(all="ignore"):
            if self._same:
                scores = self.model.scores(np.array(rows, dtype=np.float64, order="F"))
            else:
                named = [dict(zip(self.names, row, strict=True)) for row in rows]
                scores = self.model.score(named)
        if not self.rule.usable(scores).all():
            raise ArithmeticError("the model answers with something that is no number")
        return scores.tolist(), self.rule.choices(scores)

    def _numbers(self, row: Row) -> Row:
        """Choose and code the values that the model knows."""
        if not self._same:
            named, codes = dict(zip(self.names, row, strict=True)), self._codes
            values = [(name, named.get(name)) for name in self._wanted]
            row = tuple(codes[name].get(v) if name in codes and v else v for name, v in values)
        return tuple(nan if value is None else value for value in row)
