"""Whether a record is what was declared; the one judge is the type made from the declaration."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from services.validation.domain.contents import Given

ISO = re.compile(r"\d{4}-\d\d-")
ERRORS_TOLD = 20
LONGEST_TEXT = 300
EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


@dataclass(frozen=True, slots=True)
class Sound:
    """A record that is what was declared.

    Attributes:
        spelled_time: its time as it was written.
        values: of its features in declared order, or the value of a label.

    """

    id: str
    time: datetime
    spelled_time: str
    values: tuple[Given, ...]


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
    document, repeated = _document(value)
    written = document["time"]
    if not ISO.match(written):
        said = f"time: write it as 2013-06-13T14:45:00Z (got {json.dumps(written)[:100]})"
        return Faulty((Error("time", "not_iso", said),))
    if not EARLIEST <= item.time <= arrival + future:
        return Faulty((_clock_error(item.time, arrival, future),))
    if repeated:
        name = repeated[0]
        return Faulty((Error(name, "repeated", f"{name}: the name occurs twice"),), item.time)
    features = getattr(item, "features", None)
    values = (item.value,) if features is None else tuple(given for _, given in features)
    return Sound(item.id, item.time, written, values)


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
        written = json.loads(value)["time"]
        time = TIME.validate_python(written) if ISO.match(written) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return time if time is not None and EARLIEST <= time <= latest else None


def _document(value: bytes) -> tuple[Any, list[str]]:
    """Read JSON, and list the names that occur twice in one object."""
    repeated: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        repeated.extend(name for name in names if names.count(name) > 1)
        return dict(pairs)

    return json.loads(value, object_pairs_hook=look), repeated


def _counted(error: Error) -> str:
    """Name the field as it is counted: users invent names without bound, a declaration does not."""
    if error.rule != "extra_forbidden":
        return error.field
    parent, _, _ = error.field.rpartition(".")
    return "features.*" if parent.startswith("features") else "*"
