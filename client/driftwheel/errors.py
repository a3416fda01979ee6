"""What can go wrong, each with what to do about it in its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftwheel.messages import Answer


class DriftwheelError(Exception):
    """Any error of the client."""


class NotFound(DriftwheelError):
    """An address, a model or a file is not there."""


class Unreachable(DriftwheelError):
    """Kafka does not answer."""


class NotAcknowledged(DriftwheelError):
    """Kafka has not taken everything; publishing the same again is safe.

    Attributes:
        acknowledged: how many of this call were taken.

    """

    def __init__(self, text: str, acknowledged: int = 0) -> None:
        super().__init__(text)
        self.acknowledged = acknowledged


class Invalid(DriftwheelError, ValueError):
    """What was given cannot be sent; the text names the place."""


class NoAnswer(DriftwheelError):
    """The registry did not answer a command in time."""


class Refused(DriftwheelError):
    """The registry has refused a command."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer
