"""One transformation of features into numbers, for training and for serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

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
