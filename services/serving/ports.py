"""What serving needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.models import Model

Rows = Sequence[Mapping[str, Any]]


class Unusable(Exception):
    """The files of a model are there and cannot be used; the text says why."""


class Library(Protocol):
    """Models by the digest of their files; each is verified and tried before it is opened."""

    async def open(self, artifact: str, trial: Rows) -> Model:
        """Fetch a model; the first time it is tried on the `trial` rows in a child process.

        Raises:
            Transient: the files are not there yet.
            Unusable: they are not what their name promises, or do not load and score.

        """
        ...

    def prepare(self, artifact: str, trial: Rows) -> None:
        """Begin to open a model that will be needed soon."""
        ...

    def loaded(self) -> frozenset[str]:
        """Digests of the models in memory."""
        ...

    def unusable(self) -> Mapping[str, str]:
        """Digests that could not be used, and why."""
        ...
