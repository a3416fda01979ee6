"""model.declared -> the readers and judges that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from contracts.data import event_type, label_type
from contracts.declaration import Declaration
from contracts.registry import ModelDeclared
from services.validation.handlers.reading import EventColumns, LabelColumns, Reader


@dataclass(frozen=True, slots=True)
class Stream:
    """How one kind of data topic is read, and what judges the records it leaves."""

    reader: Reader
    type: type[BaseModel]


@dataclass(frozen=True, slots=True)
class Known:
    """A declaration and what follows from it; `streams` by kind of data topic."""

    declaration: Declaration
    digest: str
    streams: Mapping[str, Stream]

    @classmethod
    def of(cls, declaration: Declaration, digest: str) -> Known:
        """Prepare a declaration."""
        events = Stream(EventColumns(declaration), event_type(declaration))
        labels = Stream(LabelColumns(declaration), label_type(declaration))
        return cls(declaration, digest, {"events": events, "labels": labels})


@dataclass(slots=True)
class Declared:
    """The declaration in force of every model, prepared once."""

    models: dict[str, Known] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)

    def apply(self, event: ModelDeclared, _: int) -> None:
        """Take over a declaration; an older revision changes nothing."""
        if event.revision < self.revisions.get(event.model, 0):
            return
        self.revisions[event.model] = event.revision
        known = self.models.get(event.model)
        if known is None or known.digest != event.digest:
            self.models[event.model] = Known.of(event.declaration, event.digest)
