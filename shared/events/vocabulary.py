"""The texts of category columns, each with a code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.events.fields import Field

LIMIT = 100_000


class Vocabulary:
    """Every text that has occurred, by column: code -> text in a list that grows.

    A column with declared categories has them as its codes, in declared order, and never grows.
    When the others hold more than `limit` texts together, all of them start anew with new lists:
    a code means what the list handed out with it says.
    """

    def __init__(self, fields: Sequence[Field], limit: int = LIMIT) -> None:
        self.limit = limit
        self._open = [field.kind == "category" and field.categories is None for field in fields]
        self._codes = [
            {text: code for code, text in enumerate(field.categories or ())} for field in fields
        ]
        self.texts: tuple[list[str], ...] = tuple(list(codes) for codes in self._codes)

    def codes(self, column: int, cells: Sequence[str | float | None]) -> list[float | None]:
        """Put its code in the place of each text, a new one where it is new."""
        known, listed = self._codes[column], self.texts[column]
        for cell in cells:
            if isinstance(cell, str) and cell not in known:
                known[cell] = len(listed)
                listed.append(cell)
        return [known[cell] if isinstance(cell, str) else cell for cell in cells]

    def renew(self) -> None:
        """Start anew if there are too many texts; for between two batches."""
        grown = [texts for texts, open_ in zip(self.texts, self._open, strict=True) if open_]
        if sum(map(len, grown)) > self.limit:
            for column, open_ in enumerate(self._open):
                self._codes[column] = {} if open_ else self._codes[column]
            self.texts = tuple(list(codes) for codes in self._codes)


class PerText:
    """A number for each text of one column's vocabulary, computed once per text."""

    def __init__(self, number: Callable[[str], float], dtype: type = np.float64) -> None:
        self._number = number
        self._texts: list[str] = []
        self._numbers: NDArray[np.generic] = np.empty(0, dtype=dtype)

    def __call__(self, texts: list[str]) -> NDArray[np.generic]:
        """Give the numbers of `Events.vocabulary[column]`, indexed by code."""
        known = self._numbers if texts is self._texts else self._numbers[:0]
        if len(known) < len(texts):
            new = [self._number(text) for text in texts[len(known) :]]
            known = np.concatenate([known, np.array(new, dtype=known.dtype)])
        self._texts, self._numbers = texts, known
        return known
