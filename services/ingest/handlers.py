"""model.declared -> the types that requests are checked against."""

from __future__ import annotations

from pydantic import BaseModel

from contracts.data import event_type, label_type
from contracts.registry import ModelDeclared


class Declared:
    """The declared models, each with the generated types of what users send."""

    def __init__(self) -> None:
        self._types: dict[str, dict[str, type[BaseModel]]] = {}

    def apply(self, event: ModelDeclared, append_ms: int) -> None:
        """Take a declaration into force; the last one of a model counts."""
        self._types[event.model] = {
            "events": event_type(event.declaration),
            "labels": label_type(event.declaration),
        }

    def names(self) -> list[str]:
        """Name the models, sorted."""
        return sorted(self._types)

    def payload(self, model: str, kind: str) -> type[BaseModel] | None:
        """Give the type of a model's `events` or `labels`; None for an unknown model."""
        return self._types.get(model, {}).get(kind)
