"""CloudEvents 1.0 over HTTP, structured and binary: an envelope around an event or label."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from services.ingest.domain.refusal import Refusal, Refused

CONTENT = {"events": "features", "labels": "value"}
ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")
REQUIRED = ("specversion", "id", "source", "type")
LONGEST_ATTRIBUTE = 1000
PAYLOAD = frozenset({"data", "data_base64", "datacontenttype"})


@dataclass(frozen=True, slots=True)
class Item:
    """One event or label of a request, as it will stand in the topic.

    Attributes:
        line: where it stood in the body, 1 for the first.
        key: the entity, where the sender names one.
        headers: for the record, `ce_*`.

    """

    line: int
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = field(default=())


def structured(kind: str, body: bytes) -> Item:
    """Open a CloudEvent in structured mode.

    Raises:
        Refused: it is no CloudEvent, or its data is not JSON.

    """
    envelope = _object(body, "")
    if "data_base64" in envelope:
        raise Refused(Refusal(1, "data_base64", "must not be used: send JSON in data"))
    if "data" not in envelope:
        raise Refused(Refusal(1, "data", "is required"))
    attributes = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in envelope.items()
        if name not in PAYLOAD and value is not None
    }
    return _item(kind, attributes, envelope["data"], None)


def binary(kind: str, headers: Mapping[str, str], body: bytes) -> Item:
    """Open a CloudEvent in binary mode, its attributes in `ce-*` headers.

    Raises:
        Refused: an attribute is missing, or the body is not JSON.

    """
    attributes = {
        name.removeprefix("ce-"): unquote(value)
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    return _item(kind, attributes, _parsed(body, ""), body)


def _item(kind: str, attributes: Mapping[str, str], data: Any, original: bytes | None) -> Item:
    missing = [name for name in REQUIRED if not attributes.get(name)]
    if missing:
        raise Refused(*(Refusal(1, name, "is required in a CloudEvent") for name in missing))
    if attributes["specversion"] != "1.0":
        raise Refused(Refusal(1, "specversion", f"must be 1.0, not {attributes['specversion']!r}"))
    long = [name for name, text in attributes.items() if len(text) > LONGEST_ATTRIBUTE]
    if long:
        text = f"must have at most {LONGEST_ATTRIBUTE} characters"
        raise Refused(*(Refusal(1, name[:LONGEST_ATTRIBUTE], text) for name in long))
    full = _full(kind, attributes, data)
    value = original if original is not None and full == data else json.dumps(full).encode()
    headers = tuple(
        (f"ce_{name}", text.encode())
        for name, text in sorted(attributes.items())
        if ATTRIBUTE.fullmatch(name)
    )
    key = attributes.get("partitionkey")
    return Item(1, value, key.encode() if key else None, headers)


def _full(kind: str, attributes: Mapping[str, str], data: Any) -> Any:
    """Complete the data: bare features become an event, id and time come from the envelope.

    Data that holds `features` (for labels: `value`) is taken for the whole event.
    """
    content = CONTENT[kind]
    if kind == "events" and isinstance(data, dict) and content not in data:
        data = {content: data}
    if not isinstance(data, dict):
        raise Refused(Refusal(1, "data", f"must be an object with {content}"))
    known = {name: attributes[name] for name in ("id", "time") if name in attributes}
    return known | data


def _object(body: bytes, where: str) -> dict[str, Any]:
    value = _parsed(body, where)
    if not isinstance(value, dict):
        raise Refused(Refusal(1, where, "must be an object"))
    return value


def _parsed(body: bytes, where: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(Refusal(1, where, f"no valid JSON: {error}")) from error
