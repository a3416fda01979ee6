"""Cells of a table -> typed features and labels, guided by the model's declaration."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from driftwheel.errors import Invalid
from driftwheel.messages import Record

INTEGER = re.compile(r"[+-]?\d+(\.0*)?")
BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}

Cells = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what.

    Attributes:
        key: the entity; None where the id is the record key.
        value: of a label; None where it is named as in the declaration.
        nulls: what stands for a missing value in text.
        assume_utc: times without an offset are UTC; otherwise they are refused.

    """

    id: str = "id"
    time: str = "time"
    key: str | None = None
    value: str | None = None
    nulls: Collection[str] = ("",)
    assume_utc: bool = False


class Conversion:
    """Turns rows into events, or into labels.

    Args:
        declaration: of the model, with all defaults in force.
        columns: which columns hold what.
        labels: make labels rather than events.

    """

    def __init__(self, declaration: Mapping[str, Any], columns: Columns, labels: bool) -> None:
        self.spec, self.columns, self.labels = declaration["spec"], columns, labels
        self.value = columns.value or self.spec["label"]["name"]

    def ignored(self, present: Sequence[str]) -> list[str]:
        """List the columns of a table that will not be sent.

        Raises:
            Invalid: a column that is needed is missing.

        """
        features = self.spec["features"]
        needed = {self.columns.id: "--id-column", self.columns.time: "--time-column"}
        if self.columns.key:
            needed[self.columns.key] = "--key-column"
        if self.labels:
            needed[self.value] = "--value-column"
        else:
            needed |= {name: "" for name, of in features.items() if not of.get("nullable")}
        missing = [name for name in needed if name not in present]
        if missing:
            options = [f"{needed[name]} names another" for name in missing if needed[name]]
            raise Invalid(
                f"no column {', '.join(map(repr, missing))}; there are: {', '.join(present)}"
                + (f" ({'; '.join(options)})" if options else "")
            )
        used = needed if self.labels else needed | features
        return [name for name in present if name not in used]

    def record(self, cells: Cells) -> Record:
        """Make a record of a row.

        Raises:
            ValueError: the text names the column and what is wrong with it.

        """
        identity = self._text(cells, self.columns.id)
        time = _named(self.columns.time, self._time, cells.get(self.columns.time))
        key = self._text(cells, self.columns.key) if self.columns.key else identity
        content: dict[str, Any] = {"id": identity, "time": time}
        if self.labels:
            content["value"] = _named(self.value, self._label, cells.get(self.value))
        else:
            content["features"] = {
                name: _named(name, self._feature, cells.get(name), of)
                for name, of in self.spec["features"].items()
            }
        value = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        return Record(value.encode(), key.encode())

    def line(self, line: bytes) -> Record:
        """Make a record of a line of JSON: a whole event or label as it stands, or a flat row.

        Raises:
            ValueError: as for `record`, or the line is no JSON object.

        """
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"no valid JSON: {error}") from error
        if not isinstance(content, dict):
            raise ValueError("must be an object")
        inner = content.get("features")
        if not isinstance(inner, dict) and not (self.labels and {"id", "value"} <= content.keys()):
            return self.record(content)
        cells = {**(inner or {}), **content}
        return Record(line, self._text(cells, self.columns.key or "id").encode())

    def _text(self, cells: Cells, column: str) -> str:
        value = cells.get(column)
        if self._missing(value) or not 1 <= len(str(value)) <= 200:
            raise ValueError(f"{column}: must be text of 1 to 200 characters, not {value!r}")
        return str(value)

    def _missing(self, value: Any) -> bool:
        return value is None or (isinstance(value, str) and value in self.columns.nulls)

    def _time(self, value: Any) -> str:
        try:
            time = value if isinstance(value, date) else datetime.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"must be a time such as 2013-06-13T14:45:00Z, not {value!r}"
            ) from error
        if not isinstance(time, datetime):
            raise ValueError(f"must be a time, not the date {value}")
        if time.tzinfo is None:
            if not self.columns.assume_utc:
                raise ValueError(f"{value} has no offset from UTC; --assume-utc takes it for UTC")
            time = time.replace(tzinfo=UTC)
        return time.astimezone(UTC).isoformat().replace("+00:00", "Z")

    def _feature(self, value: Any, of: Mapping[str, Any]) -> Any:
        if self._missing(value):
            if not of.get("nullable"):
                raise ValueError("is missing and not nullable")
            return None
        typed = CONVERTERS[of["type"]](value)
        low, high, categories = of.get("min"), of.get("max"), of.get("categories")
        if low is not None and typed < low:
            raise ValueError(f"{typed} is below the minimum of {low:g}")
        if high is not None and typed > high:
            raise ValueError(f"{typed} is above the maximum of {high:g}")
        if categories and typed not in categories:
            raise ValueError(f"{typed!r} is none of the declared categories")
        return typed

    def _label(self, value: Any) -> Any:
        if self._missing(value):
            raise ValueError("is missing")
        task = self.spec["task"]
        if task == "multiclass" and str(value) not in self.spec["classes"]:
            raise ValueError(f"{value!r} is none of the classes")
        return {"binary": _bool, "regression": _float, "multiclass": _category}[task](value)


def _named(column: str, convert: Any, *arguments: Any) -> Any:
    try:
        return convert(*arguments)
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from error


def _int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and INTEGER.fullmatch(value.strip()):
        return int(value.strip().partition(".")[0])
    raise ValueError(f"must be a whole number, not {value!r}")


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number, not {value!r}")
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"must be a number, not {value!r}") from error
    if not math.isfinite(number):
        raise ValueError(f"must be finite, not {value!r}")
    return number


def _bool(value: Any) -> bool:
    found = value if isinstance(value, bool) else BOOLEANS.get(str(value).strip().lower())
    if found is None:
        raise ValueError(f"must be true or false, not {value!r}")
    return found


def _category(value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f"must be text, not {value!r}")
    return str(value)


CONVERTERS = {"int": _int, "float": _float, "bool": _bool, "category": _category}
