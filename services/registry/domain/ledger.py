"""All logs in memory: what Kafka has confirmed, and what was decided but not read back yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.registry.domain.chain import Broken, continues
from services.registry.domain.state import Entry, State, after, fold


@dataclass(slots=True)
class Book:
    """The log of one model.

    Attributes:
        entries: read from the log, in its order.
        state: the fold over `entries`.
        pending: decided on top of them, told or about to be told.

    """

    entries: list[Entry] = field(default_factory=list)
    state: State = field(default_factory=State)
    pending: list[Entry] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)

    @property
    def head(self) -> State:
        """The state that the next decision builds on."""
        return fold(self.pending, self.state)

    def knows(self, cause: str) -> bool:
        """Tell whether a command or event has been answered."""
        return cause in self.causes or any(entry.cause == cause for entry in self.pending)

    def confirm(self, entry: Entry) -> None:
        """Take in what stands next in the log.

        Raises:
            Broken: the chain does not hold.

        """
        if not continues(self.entries, entry):
            return
        self.entries.append(entry)
        self.state = after(self.state, entry)
        self.causes.add(entry.cause)
        # Where another writer came first, what was built on the old head is void.
        ours = bool(self.pending) and self.pending[0].digest == entry.digest
        self.pending = self.pending[1:] if ours else []


class Ledger:
    """The books of all models."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self.broken: str | None = None

    def book(self, model: str) -> Book:
        """Open the book of a model; an unknown model has an empty one."""
        return self._books.setdefault(model, Book())

    def confirm(self, model: str, entry: Entry) -> None:
        """Take in what stands next in the log of a model.

        Raises:
            Broken: the chain does not hold; from then on `broken` says why.

        """
        try:
            self.book(model).confirm(entry)
        except Broken as error:
            self.broken = f"the log of {model} cannot be trusted: {error}"
            raise Broken(
                f"{self.broken}. Restore registry.recorded from a backup; "
                "nothing is recorded until then."
            ) from error

    def log(self, model: str) -> list[Entry]:
        """Return the confirmed entries of a model; none for one that was never heard of."""
        return self._books[model].entries if model in self._books else []

    def declared(self) -> list[str]:
        """Name the models that exist, sorted."""
        return sorted(name for name, book in self._books.items() if book.head.declared)

    def confirmed(self) -> dict[str, Book]:
        """Return the books of the models that exist according to the log, by name."""
        return {name: book for name, book in sorted(self._books.items()) if book.state.declared}
