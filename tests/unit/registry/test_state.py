"""Translation keeps everything, and what was published is remembered in order."""

from datetime import UTC, datetime

from pydantic import TypeAdapter

from contracts import registry as wire
from services.registry.domain.facts import PRIOR, VersionRef
from services.registry.domain.published import LONGEST_HISTORY, PastPlan, Plan, Published
from services.registry.handlers import FACT, WIRE_FACT, entry_of
from tests.service.registry.house import House, command, declare, promote, slice_, trained
from tests.service.registry.house import evaluation as evidence


def everything():
    house = House()
    good = evidence(slices=(slice_("EWR", 0.0, 0.001),))
    house.hears(
        declare(),
        trained("t1", good),
        trained("t2", status="failed", evaluation=None),
        command("x", {"kind": "train"}),
        promote("p", "9.0.0"),
        declare("again"),
    )
    return house


def test_facts_survive_the_way_into_the_domain_and_back():
    facts = [recorded.fact for recorded in everything().log]
    assert {fact.kind for fact in facts} == {
        kind.model_fields["kind"].annotation.__args__[0] for kind in wire.Fact.__args__
    }
    for fact in facts:
        there = FACT.validate_json(fact.model_dump_json())
        assert WIRE_FACT.validate_json(FACT.dump_json(there)) == fact


def test_a_newer_field_with_a_default_does_not_break_the_chain():
    recorded = everything().log[0]

    class Newer(wire.RegistryRecorded):
        approval: str | None = None

    newer = Newer.model_validate_json(recorded.model_dump_json())
    assert entry_of(newer).digest == entry_of(recorded).digest


def test_the_first_copy_of_a_plan_counts():
    told, plan = Published(), Plan("p", VersionRef(PRIOR, "prior"))
    told.add_release("m", 2, (), plan, 1000)
    told.add_release("m", 2, (), plan, 9000)
    told.add_release("m", 1, (), Plan("older", plan.stable), 9000)
    assert told.plans["m"] == (PastPlan(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), plan),)


def test_a_long_history_loses_its_oldest():
    told, ref = Published(), VersionRef(PRIOR, "prior")
    for revision in range(1, LONGEST_HISTORY + 3):
        history = told.plans.get("m", ())
        told.add_release("m", revision, history, Plan(str(revision), ref), revision)
    assert len(told.plans["m"]) == LONGEST_HISTORY
    assert told.plans["m"][0].plan.plan_id == "3"
    TypeAdapter(tuple[PastPlan, ...]).dump_json(told.plans["m"])
