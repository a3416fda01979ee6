"""The features of an event as its reader sees them: one column each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from contracts.data import LARGEST
from contracts.declaration import Declaration

Kind = Literal["int", "float", "bool", "category"]


@dataclass(frozen=True, slots=True)
class Field:
    """One feature, and which values the contract allows.

    Attributes:
        low: least number, None for any.
        high: greatest number, None for any.
        nullable: whether it may be null or missing.
        categories: the only texts allowed; None allows any of 1 to 200 characters.

    """

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    nullable: bool = False
    categories: tuple[str, ...] | None = None


def fields_of(declaration: Declaration) -> tuple[Field, ...]:
    """List the features of a declaration in declared order, as `contracts.data` types them."""
    fields = []
    for name, feature in declaration.spec.features.items():
        low, high = feature.min, feature.max
        if feature.type == "int":
            low, high = (-LARGEST if low is None else low), (LARGEST if high is None else high)
        fields.append(Field(name, feature.type, low, high, feature.nullable, feature.categories))
    return tuple(fields)
