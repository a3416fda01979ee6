"""One transformation of features into numbers, for training and for serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.events import PerText

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Columns:
    """The order of the columns and the codes of the categories: part of every model's files.

    Attributes:
        names: features in column order.
        codes: of each category feature, value -> code 0, 1, ...; unknown values are NaN.

    """

    names: tuple[str, ...]
    codes: Mapping[str, Mapping[str, int]]

    @classmethod
    def fitted(cls, types: Mapping[str, str], features: Sequence[Mapping[str, Any]]) -> Self:
        """Learn the categories that occur, in sorted order.

        Args:
            types: feature -> int, float, bool or category, in column order.
            features: rows.

        """
        categories = [name for name, kind in types.items() if kind == "category"]
        codes = {}
        for name in categories:
            seen: set[str] = {row[name] for row in features if row.get(name) is not None}
            codes[name] = {value: code for code, value in enumerate(sorted(seen))}
        return cls(tuple(types), codes)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(tuple(document["names"]), document["codes"])

    def to_json(self) -> dict[str, Any]:
        """Write for a model's files."""
        return {
            "names": list(self.names),
            "codes": {name: dict(codes) for name, codes in self.codes.items()},
        }

    def matrix(self, features: Sequence[Mapping[str, Any]]) -> Matrix:
        """Turn rows of features into numbers.

        Args:
            features: n rows; a missing feature or None is NaN.

        Returns:
            (n, columns) float64, column-major.

        """
        matrix = np.empty((len(features), len(self.names)), order="F")
        for column, name in enumerate(self.names):
            codes = self.codes.get(name)
            values = (
                [row.get(name) for row in features]
                if codes is None
                else [codes.get(row.get(name)) for row in features]  # type: ignore[arg-type]
            )
            matrix[:, column] = np.array(values, dtype=np.float64)
        return matrix


class Alignment:
    """From the columns in which events are read to those of one model.

    Args:
        declared: features in the order in which they are read.
        columns: of the model; a feature that is not declared is missing.

    """

    def __init__(self, declared: Sequence[str], columns: Columns) -> None:
        places = {name: column for column, name in enumerate(declared)}
        self._sources = [places.get(name) for name in columns.names]
        self._same = self._sources == list(range(len(declared))) and not columns.codes
        self._codes = {
            column: PerText(lambda text, codes=codes: codes.get(text, np.nan))  # type: ignore[misc]
            for column, name in enumerate(columns.names)
            if (codes := columns.codes.get(name)) is not None
        }

    def matrix(self, read: Matrix, vocabulary: Sequence[list[str]]) -> Matrix:
        """Choose and recode columns.

        Args:
            read: (n, declared), as `shared.events` reads them.
            vocabulary: of each declared column the texts that its codes stand for.

        Returns:
            (n, columns of the model); NaN for what is missing, or unknown to the model.

        """
        if self._same:
            return read
        matrix = np.full((len(read), len(self._sources)), np.nan)
        for column, source in enumerate(self._sources):
            if source is None:
                continue
            values = read[:, source]
            if column in self._codes:
                codes = np.append(self._codes[column](vocabulary[source]), np.nan)
                values = codes[np.where(np.isnan(values), -1, values).astype(np.intp)]
            matrix[:, column] = values
        return matrix
