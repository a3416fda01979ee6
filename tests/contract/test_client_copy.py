"""The client's own copy of names and fields, held against the contracts."""

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import get_args

import pytest

from contracts import registry
from contracts.alerts import ALERT_RAISED, ALERT_RESOLVED
from contracts.data import DATA_TOPICS, event_type, label_type, outcome_type, prediction_type
from contracts.declaration import Declaration
from contracts.performance import DRIFT_DETECTED
from contracts.registry import (
    MODEL_DECLARED,
    REGISTRY_COMMANDS,
    REGISTRY_RECORDED,
    RELEASE_CHANGED,
    RegistryCommand,
)
from contracts.training import TRAINING_DECIDED
from driftwheel import Endpoints, messages
from driftwheel.conversion import Columns, Conversion
from driftwheel.facts import ANSWERS, REJECTED
from driftwheel.records import record_of
from driftwheel.words import FACTS, SUBJECTS

AT = datetime(2013, 6, 13, 14, 45, tzinfo=UTC)
FEATURES = {
    "carrier": {"type": "category", "categories": ["UA", "DL"]},
    "minute": {"type": "int", "min": 0, "max": 1439},
    "age": {"type": "float", "nullable": True},
    "night": {"type": "bool"},
}
TASKS = {
    "binary": ({}, "yes", 0.25, True),
    "regression": ({}, "21.5", 3.5, None),
    "multiclass": ({"classes": ["a", "b"]}, "b", [0.25, 0.75], "b"),
}


def declared(task: str) -> Declaration:
    document = {
        "apiVersion": "driftwheel/v1",
        "kind": "Model",
        "metadata": {"name": "delay"},
        "spec": {
            "task": task,
            "features": FEATURES,
            "label": {"name": "late", "horizon": "36h"},
            **TASKS[task][0],
        },
    }
    return Declaration.model_validate_json(json.dumps(document))


def in_force(task: str) -> dict:
    """The declaration as the client reads it from model.declared."""
    return json.loads(declared(task).model_dump_json())


CELLS = {
    "id": "e1",
    "time": "2013-06-13T14:45:00Z",
    "carrier": "UA",
    "minute": "5",
    "age": "",
    "night": "no",
    "late": "",
}


@pytest.mark.parametrize("task", TASKS)
def test_a_row_becomes_an_event_that_the_contract_accepts(task):
    record = Conversion(in_force(task), Columns(), labels=False).record(CELLS)
    event = event_type(declared(task)).model_validate_json(record.value)
    assert (event.id, event.time, event.features.minute, record.key) == ("e1", AT, 5, b"e1")


@pytest.mark.parametrize("task", TASKS)
def test_a_row_becomes_a_label_that_the_contract_accepts(task):
    cells = CELLS | {"late": TASKS[task][1]}
    record = Conversion(in_force(task), Columns(), labels=True).record(cells)
    label_type(declared(task)).model_validate_json(record.value)


def test_an_event_given_as_a_mapping_is_accepted():
    features = {"carrier": "UA", "minute": 5, "age": None, "night": False}
    record = record_of({"id": "e1", "time": AT, "features": features}, None)
    event_type(declared("binary")).model_validate_json(record.value)


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "promote", "version": "1.0.0", "force": True},
        {"kind": "roll_back", "version": None},
        {"kind": "train"},
        {"kind": "declare", "declaration": in_force("binary")},
    ],
    ids=lambda order: order["kind"],
)
def test_every_command_is_accepted(order):
    command = messages.command("delay", order, actor="ann", at=AT, reason="why")
    accepted = RegistryCommand.model_validate_json(json.dumps(command))
    assert accepted.event_id == command["event_id"]
    assert accepted.order.kind == order["kind"]


def test_no_command_is_missing():
    kinds = {
        of.model_fields["kind"].annotation
        for of in (registry.Declare, registry.Promote, registry.RollBack, registry.Train)
    }
    assert {get_args(kind)[0] for kind in kinds} == {"declare", "promote", "roll_back", "train"}


@pytest.mark.parametrize("task", TASKS)
def test_a_prediction_is_read_in_full(task):
    _, _, score, decision = TASKS[task]
    features = {"carrier": "UA", "minute": 5, "age": None, "night": False}
    written = prediction_type(declared(task)).model_validate_json(
        json.dumps(
            {
                "id": "e1",
                "time": AT.isoformat(),
                "model": "delay",
                "version": "1.0.0",
                "score": score,
                "decision": decision,
                "features": features,
                "plan": "p",
                "role": "stable",
                "shadow": {"version": "1.1.0", "score": score},
            }
        )
    )
    read = messages.prediction(written.model_dump_json().encode())
    assert {field.name for field in fields(read)} == set(type(written).model_fields)
    assert (read.time, read.score, read.decision) == (AT, written.score, decision)
    assert read.shadow == messages.Shadow("1.1.0", written.score)
    assert read.features == features


@pytest.mark.parametrize("task", TASKS)
def test_an_outcome_is_read_in_full(task):
    _, _, score, decision = TASKS[task]
    features = {"carrier": "UA", "minute": 5, "age": None, "night": False}
    written = outcome_type(declared(task)).model_validate_json(
        json.dumps(
            {
                "id": "e1",
                "time": AT.isoformat(),
                "model": "delay",
                "version": "1.0.0",
                "score": score,
                "decision": decision,
                "features": features,
                "label": None,
                "label_time": None,
                "status": "unlabelled",
                "loss": None,
                "shadow": None,
            }
        )
    )
    read = messages.outcome(written.model_dump_json().encode())
    assert {field.name for field in fields(read)} == set(type(written).model_fields)
    assert (read.label, read.label_time, read.status) == (None, None, "unlabelled")


def test_topics_have_the_names_of_their_cards():
    endpoints = Endpoints("localhost:9092", prefix="p.")
    for card in DATA_TOPICS:
        assert endpoints.data("delay", card.kind) == f"p.{card.name('delay')}"
    used = ["model.declared", "registry.commands", "registry.recorded", "release.changed"]
    cards = [MODEL_DECLARED, REGISTRY_COMMANDS, REGISTRY_RECORDED, RELEASE_CHANGED]
    assert [endpoints.control(name) for name in used] == [f"p.{card.name}" for card in cards]
    assert endpoints.model_of(endpoints.data("delay", "events")) == "delay"


def test_every_fact_has_its_words_and_every_answer_is_a_fact():
    kinds = {get_args(of.model_fields["kind"].annotation)[0] for of in get_args(registry.Fact)}
    assert set(FACTS) == kinds
    assert kinds >= ANSWERS | {REJECTED}


def test_decisions_are_read_from_topics_that_list_the_client():
    cards = (REGISTRY_RECORDED, TRAINING_DECIDED, DRIFT_DETECTED, ALERT_RAISED, ALERT_RESOLVED)
    assert {f"{subject}.v1" for subject in SUBJECTS} == {card.name for card in cards}
    assert all("client" in card.consumers for card in (*cards, MODEL_DECLARED, RELEASE_CHANGED))
