"""Why something cannot be accepted: the line, the field and the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_INPUT = 60


@dataclass(frozen=True, slots=True)
class Refusal:
    """One fault of a request.

    Attributes:
        line: 1 for the first line of the body.
        field: dotted path such as `features.seats`; empty when the whole line is at fault.

    """

    line: int
    field: str
    reason: str


class Refused(ValueError):
    """What was sent cannot be accepted as it is."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__("; ".join(f"{r.field}: {r.reason}" for r in refusals))
        self.refusals = refusals


def refusals(line: int, errors: Iterable[Mapping[str, Any]]) -> list[Refusal]:
    """Put a validator's errors (type, loc, msg, input) into words for the sender."""
    return [
        Refusal(line, ".".join(str(part) for part in error["loc"]), _reason(error))
        for error in errors
    ]


def _reason(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not a known field"
    if kind == "json_invalid":
        return f"no valid JSON: {error['ctx']['error']}"
    message = str(error["msg"]).removeprefix("Input should ").removeprefix("Value error, ")
    return f"must {message}, not {_shown(error['input'])}"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= LONGEST_INPUT else text[:LONGEST_INPUT] + "..."
