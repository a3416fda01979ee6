"""Answers to commands, and facts in words."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from contracts.registry import RegistryCommand
from driftwheel import messages
from driftwheel.facts import Fact, answer_of, fact, faults
from driftwheel.views import models_of
from driftwheel.words import sentence
from tests.doubles import record

AT = datetime(2013, 3, 1, tzinfo=UTC)
COMMANDS = "p.registry.commands.v1"
RECORDED = "p.registry.recorded.v1"


def declaration(**spec):
    content = {
        "task": "binary",
        "features": {"minute": {"type": "int"}},
        "label": {"name": "late", "horizon": "36h"},
    }
    metadata = {"name": "delay"}
    return {
        "apiVersion": "driftwheel/v1",
        "kind": "Model",
        "metadata": metadata,
        "spec": content | spec,
    }


def reported(document) -> dict[str, str]:
    """What the client tells of a command that the registry parks as malformed."""
    order = {"kind": "declare", "declaration": document}
    command = json.dumps(messages.command("delay", order, actor="ann", at=AT))
    with pytest.raises(ValidationError) as caught:
        RegistryCommand.model_validate_json(command)
    reason = str(caught.value)[:2000].encode()
    parked = record(f"{COMMANDS}.dlq", command.encode(), headers=[("dlq-reason", reason)])
    answer = answer_of(json.loads(command)["event_id"])(parked)
    assert (answer.kind, answer.model, answer.revision) == ("rejected", "delay", None)
    return dict(answer.faults)


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({"task": "rank"}, "spec.task", "'binary', 'multiclass' or 'regression', not 'rank'"),
        ({"colour": 1}, "spec.colour", "is not a known field"),
        ({"label": {"name": "late"}}, "spec.label.horizon", "is required"),
        ({"label": {"name": "late", "horizon": "1.5h"}}, "spec.label.horizon", "is no duration"),
        ({"features": {}}, "spec.features", "at least 1 item"),
        ({"features": {"m": {"type": "date"}}}, "spec.features.m.type", "not 'date'"),
        ({"features": {"m": {"type": "int", "min": "0"}}}, "spec.features.m.min", "not '0'"),
        ({"features": {"m": {"type": "int"}, "M": {"type": "int"}}}, "spec.features", "duplicate"),
        ({"features": {"late": {"type": "int"}}}, "spec", "leaks the answer"),
        ({"prior": 1.5}, "spec", "prior must lie between 0 and 1"),
    ],
)
def test_a_broken_declaration_is_told_field_by_field(spec, field, reason):
    assert reason in reported(declaration(**spec))[field]


def test_a_missing_label_and_a_wrong_kind_are_told_together():
    document = declaration() | {"kind": "Modell"}
    del document["spec"]["label"]
    found = reported(document)
    assert found["spec.label"] == "is required"
    assert "'Model'" in found["kind"]


def test_plain_reasons_have_no_fields():
    assert faults("the model has moved on to revision 7") == ()


def recorded(cause: str, **kind) -> dict:
    return {
        "event_id": "x",
        "cause": cause,
        "model": "delay",
        "at": AT.isoformat(),
        "seq": 3,
        "actor": "ann",
        "reason": "why",
        "previous": "0" * 64,
        "fact": kind,
    }


def test_only_the_answer_to_this_command_counts():
    look = answer_of("mine")
    other = json.dumps(recorded("other", kind="promoted")).encode()
    assert look(record(RECORDED, other)) is None
    assert look(record(RECORDED, b"garbage")) is None
    assert look(record(RECORDED, b"[]")) is None
    mine = look(record(RECORDED, json.dumps(recorded("mine", kind="promoted")).encode()))
    assert (mine.kind, mine.revision, mine.reason) == ("promoted", 3, "why")


def test_a_rejected_command_is_an_answer():
    value = json.dumps(recorded("mine", kind="rejected")).encode()
    assert answer_of("mine")(record(RECORDED, value)).kind == "rejected"


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"{}", b'{"model": "m", "at": "then"}'])
def test_what_is_no_fact_is_none(value):
    assert fact(record(RECORDED, value)) is None


def told(subject: str, **content) -> str:
    return sentence(Fact(subject, "delay", AT, 0, content))


def test_decisions_in_words():
    gated = recorded("c", kind="gated", version="0.2.0", passed=False, checks=[])
    refused = gated | {"reason": "refused: slice carrier=VX lost 0.031"}
    assert told("registry.recorded", **refused) == "gate refused: slice carrier=VX lost 0.031"
    promoted = recorded("c", kind="promoted", version="0.1.0", previous="0.0.0", how="command")
    words = told("registry.recorded", **promoted)
    assert words == "version 0.1.0 promoted by command instead of 0.0.0: why"
    by_gate = promoted | {"fact": promoted["fact"] | {"how": "gate"}}
    words = told("registry.recorded", **by_gate)
    assert words == "version 0.1.0 promoted by gate instead of 0.0.0"
    words = told("training.decided", trigger="drift", reason="suppressed: cooldown")
    assert words == "training suppressed: cooldown (trigger drift)"
    words = told("drift.detected", detector="loss", version="0.1.0", summary="loss rose")
    assert words == "drift of 0.1.0 in loss: loss rose"
    about = {"since": "2013-06-13T00:00:00Z", "summary": "nulls"}
    words = told("drift.detected", detector="loss", version="0.1.0", **about)
    assert words == "drift of 0.1.0 in loss since 2013-06-13: nulls"
    words = told("alert.raised", detector="quality", blamed=["temp", "wind"], **about)
    assert words == "alert on quality of temp, wind since 2013-06-13: nulls"
    words = told("alert.resolved", detector="quality", summary="as before")
    assert words == "alert on quality is over: as before"


def test_a_fact_of_a_newer_platform_still_has_a_name():
    assert told("registry.recorded", **recorded("c", kind="archived")) == "archived: why"
    assert told("budget.spent") == "budget.spent"


def test_models_are_folded_from_the_log():
    digest = "d" * 64
    spec = {"spec": {"task": "binary"}}
    prior = {"version": "0.0.0", "algorithm": "prior", "trained_at": None, "loss": None}
    trained = {"version": "0.1.0", "algorithm": "linear", "trained_at": "t", "loss": 0.5}
    checks = [{"name": "loss", "passed": False, "detail": "worse"}]
    log = [
        recorded("a", kind="declared", declaration=spec, digest=digest),
        recorded("a", kind="promoted", version="0.0.0", previous=None, how="declaration"),
        recorded("b", kind="registered", version=trained, rows=5000),
        recorded("b", kind="gated", version="0.1.0", passed=False, checks=checks) | {"seq": 4},
    ]
    facts = [Fact("registry.recorded", "delay", AT, 0, content) for content in log]
    plan = {"stable": prior, "candidate": None}
    facts.append(Fact("release.changed", "delay", AT, 0, {"plan": plan}))
    model = models_of(facts)["delay"]
    assert (model.task, model.revision, model.champion, model.digest) == (
        "binary",
        4,
        "0.0.0",
        digest,
    )
    assert model.versions["0.1.0"]["gate"] == "refused: worse"
    assert model.versions["0.0.0"]["algorithm"] == "prior"
