"""What serving needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from contracts.declaration import Declaration
from services.serving.domain.answers import Rule
from services.serving.domain.inferred import Inferred
from services.serving.domain.timeline import Timeline
from shared.models import Model

Rows = Sequence[Mapping[str, Any]]


class Unknown(LookupError):
    """There is no such model or version; the text says which there are."""


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


class Release(Protocol):
    """What decides one model."""

    @property
    def declaration(self) -> Declaration:
        """What its owner declared."""
        ...

    @property
    def timeline(self) -> Timeline:
        """The plans of its traffic."""
        ...

    @property
    def rule(self) -> Rule:
        """How its scores turn into decisions."""
        ...

    @property
    def trial(self) -> Rows:
        """Rows to try a version on."""
        ...

    @property
    def prior(self) -> Model:
        """What answers as long as there is no version."""
        ...


class Releases(Protocol):
    """The release of every model; another object as soon as anything about it changes."""

    def get(self, model: str) -> Release | None:
        """Name what decides this model; None until its declaration and a plan are known."""
        ...

    def timelines(self) -> Mapping[str, Timeline]:
        """List the plans of every model."""
        ...


class Outbox(Protocol):
    """Takes predictions to Kafka."""

    def put(self, inferred: Inferred) -> None:
        """Take the predictions of a request; they are published soon.

        Raises:
            Transient: too many are waiting.

        """
        ...

    async def keep(self, inferred: Inferred) -> None:
        """Take the predictions of a request and wait until Kafka has them.

        Raises:
            Transient: too many are waiting, or Kafka does not answer.

        """
        ...
