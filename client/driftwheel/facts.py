"""The control plane as the client reads it: facts by subject, and answers to commands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftwheel.messages import Answer
from driftwheel.stream import Raw

ANSWERS = frozenset({"declared", "unchanged", "promoted", "requested"})
REJECTED = "rejected"
DEAD = ".dlq"
# What pydantic prints for each fault: the path, then two spaces and the message.
FAULT = re.compile(r"^(?P<path>\S.*)\n  (?P<message>.+)$", re.MULTILINE)
INPUT = re.compile(r" \[type=(?P<type>\w+), input_value=(?P<value>.*), input_type=(?P<of>\w+)\]$")
WITHIN_COMMAND = re.compile(r"^order\.declare\.(declaration\.)?")


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of the control plane.

    Attributes:
        subject: such as `registry.recorded`.
        at: event time.
        appended_ms: when Kafka took it.
        content: the message.

    """

    subject: str
    model: str
    at: datetime
    appended_ms: int
    content: Mapping[str, Any]


def fact(raw: Raw) -> Fact | None:
    """Read a control-plane record; None for a tombstone or what is no event."""
    try:
        content = json.loads(raw.value or b"")
        # The subject is what stands between the deployment's prefix and the version.
        subject = ".".join(raw.topic.split(".")[-3:-1])
        at = datetime.fromisoformat(content["at"])
        return Fact(subject, content["model"], at, raw.timestamp, content)
    except (ValueError, KeyError, TypeError):
        return None


def answer_of(command_id: str) -> Callable[[Raw], Answer | None]:
    """Look for the registry's answer to a command: recorded, or parked because it is malformed."""

    def look(raw: Raw) -> Answer | None:
        try:
            content = json.loads(raw.value or b"")
        except ValueError:
            return None
        if not isinstance(content, dict):
            return None
        if raw.topic.endswith(DEAD) and content.get("event_id") == command_id:
            return _parked(content["model"], raw)
        if content.get("cause") == command_id and "fact" in content:
            return _recorded(content)
        return None

    return look


def _recorded(content: Mapping[str, Any]) -> Answer | None:
    kind, reason = content["fact"]["kind"], content["reason"]
    if kind not in ANSWERS and kind != REJECTED:
        return None
    found = faults(reason) if kind == REJECTED else ()
    return Answer(content["model"], kind, reason, content["seq"], found)


def _parked(model: str, raw: Raw) -> Answer:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in raw.headers}
    reason = headers.get("dlq-reason", "the registry could not read the command")
    return Answer(model, REJECTED, reason, None, faults(reason))


def faults(reason: str) -> tuple[tuple[str, str], ...]:
    """Take a validation report apart into (field, reason); empty where it is plain text."""
    found = []
    for match in FAULT.finditer(reason):
        field, message = WITHIN_COMMAND.sub("", match["path"]), match["message"]
        given = INPUT.search(message)
        message = INPUT.sub("", message).removeprefix("Value error, ")
        if given and given["type"] == "extra_forbidden":
            message = "is not a known field"
        elif given and given["type"] == "missing":
            message = "is required"
        elif given and given["of"] in ("str", "int", "float", "bool", "NoneType"):
            message = f"{message}, not {given['value']}"
        found.append((field, message))
    return tuple(found)
