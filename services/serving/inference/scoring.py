"""Scores rows of declared features with one model, a single row without numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from services.serving.domain.features import Row
from services.serving.domain.replies import Score
from shared.columns import Columns
from shared.models import Model, Scores


@runtime_checkable
class SingleRow(Protocol):
    """A model with a fast way for one row."""

    columns: Columns

    def score_one(self, values: Sequence[float]) -> float | list[float]:
        """Score one row: numbers in the order of its columns, NaN is missing."""
        ...


class Scorer:
    """Knows the way from declared features to the columns of a model.

    Args:
        model: scores.
        names: of the features in declared order.

    """

    def __init__(self, model: Model, names: Sequence[str]) -> None:
        self.model, self.names = model, names
        self._single = model if isinstance(model, SingleRow) else None
        columns = model.columns
        self._codes = dict(columns.codes) if columns else {}
        self._wanted = columns.names if columns else ()
        self._same = tuple(names) == self._wanted and not self._codes

    def one(self, row: Row) -> Score:
        """Score a row: a probability or value, or a list with one per class."""
        if self._single is None:
            score: Score = self.many([row])[0].tolist()
            return score
        values = row if self._same else self._ordered(row)
        if None in values:
            values = tuple(math.nan if value is None else value for value in values)
        return self._single.score_one(values)

    def many(self, rows: Sequence[Row]) -> Scores:
        """Score n rows; an overflow is no warning here, for its result is looked at."""
        with np.errstate(all="ignore"):
            if self._same:
                return self.model.scores(np.array(rows, dtype=np.float64, order="F"))
            return self.model.score([dict(zip(self.names, row, strict=True)) for row in rows])

    def _ordered(self, row: Row) -> Row:
        """Choose and code the values that the model knows."""
        named = dict(zip(self.names, row, strict=True))
        codes = self._codes
        values = [(name, named.get(name)) for name in self._wanted]
        return tuple(codes[name].get(v) if name in codes and v else v for name, v in values)
