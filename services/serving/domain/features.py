"""A declared feature, and what values it may have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

LONGEST_TEXT = 200
Kind = Literal["int", "float", "bool", "category"]
NATIVE: dict[Kind, str] = {"int": "INT64", "float": "FP64", "bool": "BOOL", "category": "BYTES"}
Row = tuple[Any, ...]  # values in declared order; a whole number may be a float


@dataclass(frozen=True, slots=True)
class Feature:
    """One declared input, and what values it may have."""

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    categories: frozenset[str] | None = None
    nullable: bool = False

    def takes(self, datatype: str) -> bool:
        """Whether elements of this type can be its values."""
        if datatype in ("BYTES", "BOOL"):
            return NATIVE[self.kind] == datatype
        return self.kind != "category"

    def read(self, element: Any) -> Any:
        """Turn an element into a value; None is missing.

        Raises:
            ValueError: it may not have this value; the text goes on after "is ".

        """
        if element is None or element != element:
            if not self.nullable:
                raise ValueError("missing, and the feature is not nullable")
            return None
        if self.kind == "category":
            return self._text(element)
        if self.kind == "bool":
            if element not in (0, 1):
                raise ValueError(f"{element}, neither true nor false")
            return bool(element)
        return self._number(element)

    def _text(self, element: str) -> str:
        if self.categories is not None and element not in self.categories:
            raise ValueError(f"{element[:LONGEST_TEXT]!r}, which is not among the categories")
        if not 0 < len(element) <= LONGEST_TEXT:
            raise ValueError(f"{len(element)} characters long; from 1 to {LONGEST_TEXT} are taken")
        return element

    def _number(self, element: float) -> float:
        if not math.isfinite(element):
            raise ValueError(f"{element}, no finite number")
        if self.low is not None and element < self.low:
            raise ValueError(f"{element}, below the minimum {self.low:g}")
        if self.high is not None and element > self.high:
            raise ValueError(f"{element}, above the maximum {self.high:g}")
        if self.kind == "float":
            return element
        if element != int(element):
            raise ValueError(f"{element}, no whole number")
        return int(element)


class RowWriter:
    """Writes rows as JSON objects, value beside name.

    Args:
        features: of the rows, in their order.

    """

    def __init__(self, features: Sequence[Feature]) -> None:
        fields = {f"f{place}": feature.name for place, feature in enumerate(features)}
        self._object = msgspec.defstruct("Features", list(fields), rename=fields)
        self._encode = msgspec.json.Encoder().encode
        self._whole = [n for n, feature in enumerate(features) if feature.kind == "int"]

    def json(self, row: Row) -> bytes:
        """Write a row."""
        values = list(row)
        for place in self._whole:
            if values[place] is not None:
                values[place] = int(values[place])
        return self._encode(self._object(*values))
