"""Whether a record is what was declared; the one judge is the type made from the declaration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

ERRORS_TOLD = 20
LONGEST_TEXT = 300
EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


@dataclass(frozen=True, slots=True)
class Sound:
    """A record that is what was declared.

    Attributes:
        content: digest of all it says; equal for copies that are only spelled differently.
        nulls: features without a value.

    """

    id: str
    time: datetime
    content: bytes
    nulls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Error:
    """One thing that is wrong: where, which rule (a bounded vocabulary), and a sentence."""

    field: str
    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Faulty:
    """A record that is not what was declared, and everything that is wrong with it.

    Attributes:
        time: its event time, where that much could be trusted.

    """

    errors: tuple[Error, ...]
    time: datetime | None = None

    @property
    def reason(self) -> str:
        """All errors in words."""
        told = "; ".join(error.sentence for error in self.errors[:ERRORS_TOLD])
        more = len(self.errors) - ERRORS_TOLD
        return f"{told}; and {more} more" if more > 0 else told

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields at fault, in order of appearance."""
        return tuple(dict.fromkeys(error.field for error in self.errors[:ERRORS_TOLD]))

    @property
    def rules(self) -> tuple[str, ...]:
        """Field and rule of every error, once each, for counting."""
        return tuple(dict.fromkeys(f"{_counted(error)}: {error.rule}" for error in self.errors))


REUSED = Error("id", "reused", "id was used before with other content")


def judge(
    kind: type[BaseModel], value: bytes | None, arrival: datetime, future: timedelta
) -> Sound | Faulty:
    """Judge the bytes of one record.

    Args:
        kind: the type generated from the declaration, of an event or a label.
        value: as it came.
        arrival: when the broker took it.
        future: how far its time may lie ahead of its arrival.

    """
    if value is None:
        return Faulty((Error("value", "none", "value: there is none; write a JSON object"),))
    try:
        item: Any = kind.model_validate_json(value)
    except ValidationError as error:
        return Faulty(_errors(error), _readable_time(value, arrival + future))
    if not EARLIEST <= item.time <= arrival + future:
        return Faulty((_clock_error(item.time, arrival, future),))
    text = item.model_dump_json(exclude_unset=True)
    # A name that occurs twice leaves more colons in the bytes than in the item.
    crowded = value.count(b":") - value.count(b"+00:00") > text.count(":")
    if crowded and (name := _repeated_name(value)):
        return Faulty((Error(name, "repeated", f"{name}: the name occurs twice"),), item.time)
    features = getattr(item, "features", None)
    nulls = tuple(name for name, given in features if given is None) if features else ()
    return Sound(item.id, item.time, digest(text.encode(), 8), nulls)


def digest(content: bytes, size: int) -> bytes:
    """Digest of `size` bytes."""
    return hashlib.blake2b(content, digest_size=size).digest()


def _errors(error: ValidationError) -> tuple[Error, ...]:
    return tuple(
        Error(field, problem["type"], f"{field}: {problem['msg'][:LONGEST_TEXT]}{_got(problem)}")
        for problem in error.errors(include_url=False, include_context=False)
        for field in [".".join(map(str, problem["loc"])) or "value"]
    )


def _got(problem: Any) -> str:
    given = problem["input"]
    if not problem["loc"] or isinstance(given, dict | list):
        return ""
    return f" (got {json.dumps(given, ensure_ascii=False)[:100]})"


def _clock_error(time: datetime, arrival: datetime, future: timedelta) -> Error:
    if time < EARLIEST:
        return Error("time", "past", f"time: {time.isoformat()} lies before the year 1000")
    ahead = timedelta(seconds=round((time - arrival).total_seconds()))
    return Error(
        "time",
        "future",
        f"time: {time.isoformat()} lies {ahead} after its arrival at {arrival.isoformat()}; "
        f"at most {future} is allowed: check the producer's clock",
    )


def _readable_time(value: bytes, latest: datetime) -> datetime | None:
    """Read the time of a record that is wrong elsewhere, so that it counts in its own window."""
    try:
        time = TIME.validate_python(json.loads(value)["time"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return time if EARLIEST <= time <= latest else None


def _repeated_name(value: bytes) -> str | None:
    repeated: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        repeated.extend(name for name in names if names.count(name) > 1)
        return dict(pairs)

    json.loads(value, object_pairs_hook=look)
    return repeated[0] if repeated else None


def _counted(error: Error) -> str:
    """Name the field as it is counted: users invent names without bound, a declaration does not."""
    if error.rule != "extra_forbidden":
        return error.field
    parent, _, _ = error.field.rpartition(".")
    return "features.*" if parent.startswith("features") else "*"
