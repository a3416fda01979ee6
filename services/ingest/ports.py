"""What the routes need to know of the world."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel


class Catalogue(Protocol):
    """The models that are declared."""

    def names(self) -> list[str]:
        """Name them all, sorted."""
        ...

    def payload(self, model: str, kind: str) -> type[BaseModel] | None:
        """Give the type of a model's `events` or `labels`; None for an unknown model."""
        ...
