"""What is generated from the contracts: JSON Schemas, the AsyncAPI document, the page of topics."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from pydantic import BaseModel

from contracts import DATA_TOPICS, TOPICS, DataTopic, Topic
from contracts.data import payload_type
from contracts.declaration import Declaration

HERE = Path(__file__).parent
ROOT = HERE.parent
PREFIX = "driftwheel."
DIALECT = "https://json-schema.org/draft/2020-12/schema"
OUTSIDE = ("user", "client")

Card: TypeAlias = Topic[Any] | DataTopic
CARDS: tuple[Card, ...] = (*DATA_TOPICS, *TOPICS)


def reference() -> Declaration:
    """Read the declaration that stands for all models."""
    document = yaml.safe_load((HERE / "reference.yaml").read_text())
    return Declaration.model_validate_json(json.dumps(document))


def name_of(card: Card) -> str:
    """Name a topic as the files do: a data topic by that of the reference model."""
    return card.name(reference().name) if isinstance(card, DataTopic) else card.name


def type_of(card: Card) -> type[BaseModel] | None:
    """Find the type of a topic's messages; None where any bytes may stand."""
    return payload_type(card, reference()) if isinstance(card, DataTopic) else card.message


def schema_of(card: Card) -> dict[str, Any] | None:
    """Describe a topic's messages as JSON Schema, as they are read."""
    message = type_of(card)
    return {"$schema": DIALECT, **message.model_json_schema()} if message else None


def generated() -> dict[Path, str]:
    """Write every generated file, by path from the root of the repository."""
    files = {}
    for card in CARDS:
        schema = schema_of(card)
        if schema is not None:
            path = Path("contracts/schemas") / f"{name_of(card)}.json"
            files[path] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    files[Path("contracts/asyncapi.yaml")] = _header("#") + yaml.safe_dump(
        asyncapi(), sort_keys=False, width=100, allow_unicode=True
    )
    files[Path("docs/topics.md")] = topics_page()
    return files


# -- AsyncAPI -----------------------------------------------------------------------------------


def asyncapi() -> dict[str, Any]:
    """Describe all channels as an AsyncAPI 3.0 document, data topics by a parameter `model`."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Driftwheel",
            "version": "1.0.0",
            "description": "Events in, predictions out, and everything that is decided in between.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel_id(card): _channel(card) for card in CARDS},
        "operations": dict(sorted(_operations())),
        "components": {"messages": {_message_id(card): _message(card) for card in CARDS}},
    }


def _channel(card: Card) -> dict[str, Any]:
    reference_to = {"$ref": f"#/components/messages/{_message_id(card)}"}
    channel: dict[str, Any] = {
        "address": PREFIX + (card.name("{model}") if isinstance(card, DataTopic) else card.name),
        "messages": {_message_id(card): reference_to},
    }
    if isinstance(card, DataTopic):
        channel["parameters"] = {"model": {"description": "Name of a declared model."}}
    return channel


def _operations() -> list[tuple[str, dict[str, Any]]]:
    operations = []
    for card in CARDS:
        for action, services in (("send", (card.producer,)), ("receive", card.consumers)):
            for service in services:
                operation = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{_channel_id(card)}"},
                    "tags": [{"name": service}],
                }
                operations.append((f"{service}-{action}-{_channel_id(card)}", operation))
    return operations


def _message(card: Card) -> dict[str, Any]:
    if isinstance(card, DataTopic):
        summary = f"Payload type generated from the declaration; shown for {reference().name}."
    else:
        summary = meaning(card.message)
    if schema_of(card) is None:
        content = {"contentType": "application/octet-stream"}
        return {"summary": "The record as it came, with the reasons in its headers.", **content}
    return {"summary": summary, "payload": {"$ref": f"./schemas/{name_of(card)}.json"}}


def _channel_id(card: Card) -> str:
    name = f"data.{card.kind}" if isinstance(card, DataTopic) else card.name.removesuffix(".v1")
    return name.replace(".", "-")


def _message_id(card: Card) -> str:
    if isinstance(card, Topic):
        return card.message.__name__
    return "".join(word.capitalize() for word in re.split(r"[.]", f"data.{card.kind}"))


# -- the page of topics -------------------------------------------------------------------------


def meaning(message: type[BaseModel]) -> str:
    """Read the first sentence of a message's docstring."""
    return (message.__doc__ or "").strip().splitlines()[0]


def topics_page() -> str:
    """Draw the flow between the services and list the topics, from their cards."""
    rows = [_row(card) for card in CARDS]
    return "\n".join(
        [
            "# Topics",
            "",
            "<!-- Generated from contracts/ by `make contracts`; do not edit. -->",
            "",
            f"Every name has the deployment's prefix, `{PREFIX}` by default, before it. The dead",
            "letters of a topic are in `<topic>.dlq`.",
            "",
            "```mermaid",
            *flow_chart(),
            "```",
            "",
            "| topic | message | written by | read by | key | kept |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def flow_chart() -> list[str]:
    """Draw one arrow per pair of services, labelled with the topics between them."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for card in CARDS:
        label = card.kind if isinstance(card, DataTopic) else card.name.removesuffix(".v1")
        for consumer in card.consumers:
            arrows.setdefault((card.producer, consumer), []).append(label)
    nodes = sorted({name for pair in arrows for name in pair})
    shapes = [f'  {name}(["{name}"])' if name in OUTSIDE else f"  {name}" for name in nodes]
    lines = [
        f'  {producer} -->|"{"<br/>".join(labels)}"| {consumer}'
        for (producer, consumer), labels in arrows.items()
    ]
    return ["flowchart LR", *shapes, *lines]


def _row(card: Card) -> str:
    if isinstance(card, DataTopic):
        name, message = card.name("<model>"), str(card.payload)
        key, kept = "entity", f"{card.retention.days} days"
    else:
        name, key = card.name, "model"
        message = f"{card.message.__name__}: {meaning(card.message)}"
        kept = "for ever" if card.retention is None else f"{card.retention.days} days"
        kept = "the last of each model" if card.cleanup == "compact" else kept
    return (
        f"| `{name}` | {message} | {card.producer} | {', '.join(card.consumers)} | {key} | {kept} |"
    )


def _header(mark: str) -> str:
    return f"{mark} Generated from contracts/ by `make contracts`; do not edit.\n"


# -- writing and checking -----------------------------------------------------------------------


def out_of_date(root: Path, files: Mapping[Path, str]) -> list[str]:
    """List generated files that are missing, differ, or should not be there."""
    wrong = [
        str(path)
        for path, text in files.items()
        if not (root / path).is_file() or (root / path).read_text() != text
    ]
    return wrong + [str(path) for path in orphans(root, files)]


def orphans(root: Path, files: Mapping[Path, str]) -> list[Path]:
    """Find schemas of topics that no longer exist."""
    found = [path.relative_to(root) for path in sorted((root / "contracts/schemas").glob("*"))]
    return [path for path in found if path not in files]


def write(root: Path, files: Mapping[Path, str]) -> None:
    """Write the files and delete the schemas of topics that no longer exist."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for path in orphans(root, files):
        (root / path).unlink()
