"""A declared feature, and what values it may have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

LONGEST_TEXT = 200
Kind = Literal["int", "float", "bool", "category"]
NATIVE: dict[Kind, str] = {"int": "INT64", "float": "FP64", "bool": "BOOL", "category": "BYTES"}
Row = tuple[Any, ...]


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
