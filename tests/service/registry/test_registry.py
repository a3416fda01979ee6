"""The registry's rhythm: commands and candidates in, entries and what follows out."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.registry import REGISTRY_COMMANDS, REGISTRY_RECORDED
from services.registry.domain.chain import Broken
from services.registry.domain.ledger import Ledger
from services.registry.domain.published import Published
from services.registry.handlers import read_release, tell_what_follows
from services.registry.ports import TopicsRefused
from shared.errors import Transient
from tests.doubles import MemoryKafka
from tests.service.registry.house import (
    House,
    command,
    declaration,
    declare,
    evaluation,
    promote,
    restarted,
    roll_back,
    trained,
)


@pytest.fixture
def house():
    return House()


def kinds(entries):
    return [entry.fact.kind for entry in entries]


async def test_a_declared_model_is_born_as_its_prior(house):
    entries = await house.hear(declare())

    assert kinds(entries) == ["declared", "promoted"]
    assert [entry.seq for entry in entries] == [1, 2]
    assert entries[0].previous == "0" * 64
    assert {entry.cause for entry in entries} == {"declare"}
    assert house.topics.created == ["flight-delay"]
    (told,) = house.declared
    assert (told.revision, told.declaration) == (1, declaration())
    (release,) = house.releases
    assert release.plan.stable.version == "0.0.0"
    assert release.plan.stable.algorithm == "prior"
    assert release.plan.plan_id == entries[1].event_id
    assert (release.revision, release.lead_ms, release.history) == (2, 2000, ())


async def test_topics_exist_before_anything_is_recorded(house):
    house.topics.failures = [Transient("Kafka is away"), TopicsRefused("Kafka refuses: code 38")]
    (entry,) = await house.hear(declare())
    assert entry.fact.kind == "rejected"
    assert "code 38" in entry.reason
    assert house.declared == []
    assert not house.dead


async def test_a_candidate_that_is_shown_better_becomes_champion(house):
    await house.hear(declare())
    entries = await house.hear(trained("t1"))

    assert kinds(entries) == ["registered", "gated", "promoted"]
    assert entries[0].fact.version.version == "0.0.1"
    assert entries[0].fact.version.trained_at == datetime(2013, 1, 21, tzinfo=UTC)
    assert entries[0].at == trained("t1").at
    assert [entry.actor for entry in entries] == ["training", "registry", "registry"]
    release = house.releases[-1]
    assert release.plan.stable == entries[0].fact.version
    assert release.plan.withdrawn is None


async def test_a_version_carries_its_baseline_into_every_plan(house):
    await house.hear(declare(), trained("t1", baseline="b" * 64))
    assert house.log[-3].fact.version.baseline == "b" * 64
    assert house.releases[-1].plan.stable.baseline == "b" * 64
    assert house.releases[0].plan.stable.baseline is None

    await house.hear(trained("t2", evaluation("0.0.1")))
    last = house.releases[-1]
    assert last.plan.stable.version == "0.0.2"
    assert last.plan.stable.baseline is None
    assert [past.plan.stable.baseline for past in last.history] == [None, "b" * 64]


async def test_a_baseline_survives_a_restart_and_a_rollback(house):
    await house.hear(
        declare(), trained("t1", baseline="b" * 64), trained("t2", evaluation("0.0.1"))
    )
    again = House(restarted(house.kafka))
    await again.kafka.settle()
    await again.hear(roll_back("r"))
    assert again.releases[-1].plan.stable.baseline == "b" * 64


async def test_a_plan_carries_the_ones_before_with_their_times(house):
    first = house.kafka.now_ms
    await house.hear(declare(), trained("t1"), trained("t2", evaluation("0.0.1")))
    *_, last = house.releases
    assert [past.plan.stable.version for past in last.history] == ["0.0.0", "0.0.1"]
    times = [round(past.effective.timestamp() * 1000) for past in last.history]
    assert times == [first + 12_000, first + 22_000]


async def test_plans_of_one_batch_wait_for_each_other(house):
    for event in (declare(), declare("other", "other-model")):
        house.kafka.tell(REGISTRY_COMMANDS, event)
    forced = [promote("p", "0.0.1", force=True), roll_back("r")]
    await house.hear(trained("t1", evaluation(difference=0.01)), *forced)
    mine = [release for release in house.releases if release.model == "flight-delay"]
    assert [release.plan.stable.version for release in mine] == ["0.0.0", "0.0.1", "0.0.0"]
    assert [len(release.history) for release in mine] == [0, 1, 2]
    assert mine[-1].plan.withdrawn == "0.0.1"


async def test_a_refusal_says_in_words_what_was_measured(house):
    await house.hear(declare())
    evidence = evaluation(
        difference=0.0013, width=0.0018, candidate_loss=0.4511, champion_loss=0.4498
    )
    entries = await house.hear(trained("t1", evidence))
    assert kinds(entries) == ["registered", "gated"]
    assert entries[1].reason == (
        "refused: 0.0.1 is not shown better than 0.0.0: log_loss .4511 against .4498 "
        "on 11,204 pinned rows, difference +.0013 [-.0005, +.0031]"
    )
    assert house.releases[-1].plan.stable.version == "0.0.0"


async def test_two_candidates_against_one_champion_the_second_is_stale(house):
    await house.hear(declare(), trained("t1"))
    entries = await house.hear(trained("t2", evaluation("0.0.0")))
    assert kinds(entries) == ["registered", "gated"]
    assert "stale: measured against 0.0.0, champion is 0.0.1" in entries[1].reason


@pytest.mark.parametrize("missing", ["evaluation", "dataset", "artifact"])
async def test_missing_evidence_fails(house, missing):
    await house.hear(declare())
    run = trained("t1").model_copy(update={missing: None})
    (entry,) = await house.hear(run)
    assert entry.fact.kind == "rejected"
    assert "missing evidence" in entry.reason


async def test_a_failed_run_is_noted(house):
    await house.hear(declare())
    (entry,) = await house.hear(
        trained("t1", status="failed", reason="no labels", evaluation=None, artifact=None)
    )
    assert (entry.fact.kind, entry.reason) == ("failed", "no labels")


async def test_promotion_by_command_needs_the_gate_or_force(house):
    await house.hear(declare(), trained("t1", evaluation(difference=0.01)))
    (refused,) = await house.hear(promote("p1", "0.0.1"))
    assert refused.fact.kind == "rejected"
    assert "force overrules it" in refused.reason
    (forced,) = await house.hear(promote("p2", "0.0.1", force=True, reason="I know"))
    assert (forced.fact.how, forced.reason, forced.actor) == ("command", "I know", "ada")
    (again,) = await house.hear(promote("p3", "0.0.1"))
    assert again.reason == "0.0.1 already is the champion"
    (unknown,) = await house.hear(promote("p4", "7.0.0"))
    assert unknown.reason == "unknown version 7.0.0; versions: 0.0.0, 0.0.1"


async def test_rollbacks_go_back_and_never_forth(house):
    await house.hear(declare(), trained("t1"), trained("t2", evaluation("0.0.1")))
    (back,) = await house.hear(roll_back("r1"))
    assert (back.fact.version, back.fact.previous, back.fact.how) == ("0.0.1", "0.0.2", "rollback")
    assert house.releases[-1].plan.withdrawn == "0.0.2"
    (further,) = await house.hear(roll_back("r2"))
    assert further.fact.version == "0.0.0"
    (end,) = await house.hear(roll_back("r3"))
    assert end.reason == "there is no champion before 0.0.0"
    (named,) = await house.hear(roll_back("r4", "0.0.2"))
    assert named.fact.version == "0.0.2"


async def test_a_rollback_to_what_never_was_champion_is_refused(house):
    await house.hear(declare(), trained("t1", evaluation(difference=0.01)))
    (entry,) = await house.hear(roll_back("r", "0.0.1"))
    assert entry.reason == "0.0.1 was never the champion; promote it instead"


async def test_who_comes_too_late_is_told_both_revisions(house):
    await house.hear(declare(), trained("t1"))
    (late,) = await house.hear(roll_back("r1", expected_revision=2))
    assert late.reason.startswith("revision 2 expected, but the model is at revision 5")
    # The rejection itself does not make the next one late.
    (done,) = await house.hear(roll_back("r2", expected_revision=5))
    assert done.fact.kind == "promoted"


async def test_an_unknown_model_is_answered_too(house):
    await house.hear(declare())
    order = {"kind": "train"}
    (entry,) = await house.hear(command("x", order, model="nobody"))
    assert (entry.model, entry.seq) == ("nobody", 1)
    assert entry.reason == "unknown model 'nobody'; declared models: flight-delay"
    entries = await house.hear(declare("later", "nobody"))
    assert [entry.seq for entry in entries] == [2, 3]


async def test_a_request_to_train_is_passed_on(house):
    await house.hear(declare())
    (entry,) = await house.hear(command("x", {"kind": "train"}, reason="new airline"))
    (request,) = house.requests
    assert (request.actor, request.reason, request.cause) == ("ada", "new airline", entry.event_id)


async def test_the_same_declaration_again_changes_nothing(house):
    await house.hear(declare())
    (entry,) = await house.hear(declare("again"))
    assert entry.fact.kind == "unchanged"
    assert entry.reason == "declared so since revision 1"
    assert len(house.declared) == 1


async def test_a_horizon_that_the_topics_cannot_wait_for_is_refused(house):
    await house.hear(declare())
    house.topics.failures = [TopicsRefused("keeps its records for 30d")]
    (entry,) = await house.hear(
        declare("longer", spec={"label": {"name": "late", "horizon": "60d"}})
    )
    assert (entry.fact.kind, entry.reason) == ("rejected", "keeps its records for 30d")
    assert house.topics.waits == [timedelta(hours=60, minutes=30)]


async def test_a_knob_may_change_and_candidates_of_before_are_refused(house):
    await house.hear(declare())
    (entry,) = await house.hear(declare("knob", spec={"retraining": {"cooldown": "3d"}}))
    assert entry.fact.kind == "declared"
    assert [told.revision for told in house.declared] == [1, 3]
    judged = (await house.hear(trained("t1")))[1]
    assert "train again" in judged.reason
    assert len(house.releases) == 1


async def test_a_new_nullable_feature_makes_the_next_version_a_minor(house):
    features = declaration().model_dump(mode="json")["spec"]["features"]
    wider = {"features": {**features, "age": {"type": "float", "nullable": True}}}
    await house.hear(declare(), trained("t1"), declare("wider", spec=wider))
    digest = declaration(**wider).digest()
    entries = await house.hear(
        trained("t2", evaluation("0.0.1"), declaration=digest),
        trained("t3", evaluation("0.1.0"), declaration=digest),
    )
    registered = [e.fact.version.version for e in entries if e.fact.kind == "registered"]
    assert registered == ["0.1.0", "0.1.1"]


async def test_a_breaking_change_names_the_field(house):
    await house.hear(declare())
    features = {"origin": {"type": "int"}, "age": {"type": "float"}}
    (entry,) = await house.hear(declare("b", spec={"features": features, "prior": 0.3}))
    assert entry.fact.kind == "rejected"
    assert entry.reason.startswith("breaking: spec.prior changes from 0.24 to 0.3;")
    assert "spec.features.seats is removed" in entry.reason
    assert "spec.features.origin.type changes from category to int" in entry.reason
    assert "spec.features.age is new and not nullable" in entry.reason
    assert entry.reason.endswith("declare a new model name instead")


async def test_a_declaration_under_another_name_is_refused(house):
    (entry,) = await house.hear(
        command("x", {"kind": "declare", "declaration": declaration("other")})
    )
    assert entry.reason == "the command is for flight-delay, but the declaration is of other"


async def test_a_crash_before_the_commit_leaves_one_answer(house):
    await house.hear(declare(), trained("t1"), roll_back("r"))
    log, releases, declared = house.log, house.releases, house.declared
    await house.kafka.redeliver(house.consumer)
    assert (house.log, house.releases, house.declared) == (log, releases, declared)


async def test_what_was_decided_and_not_acknowledged_is_told_with_the_same_ids(house):
    await house.hear(declare())
    house.kafka.failures = [Transient("broker away")]
    entries = await house.hear(trained("t1"))
    assert kinds(entries) == ["registered", "gated", "promoted"]
    assert [entry.seq for entry in house.log] == [1, 2, 3, 4, 5]


async def test_a_log_without_its_followers_is_healed_by_a_restart(house):
    await house.hear(declare(), trained("t1"), command("x", {"kind": "train"}))
    cut = MemoryKafka(house.kafka.names)
    for entry in house.log:
        cut.tell(REGISTRY_RECORDED, entry)
    restarted = House(cut)
    await cut.settle()
    assert restarted.log == house.log
    assert [r.event_id for r in restarted.releases] == [r.event_id for r in house.releases]
    assert restarted.declared == house.declared
    assert restarted.requests == house.requests


async def test_an_edited_log_stops_everything(house):
    await house.hear(declare(), trained("t1"))
    forged = MemoryKafka(house.kafka.names)
    first, *rest = house.log
    for entry in (first.model_copy(update={"actor": "eve"}), *rest):
        forged.tell(REGISTRY_RECORDED, entry)
    restarted = House(forged)
    with pytest.raises(Broken, match=r"entry 2 .* it was changed. Restore registry\.recorded"):
        await forged.settle()
    assert restarted.ledger.broken


async def test_garbage_is_parked_and_the_rest_goes_on(house):
    house.kafka.append(house.kafka.names.topic(REGISTRY_COMMANDS), b"\xff not json")
    entries = await house.hear(declare())
    assert kinds(entries) == ["declared", "promoted"]
    assert house.dead == [b"\xff not json"]


async def test_nothing_follows_from_an_entry_before_it_was_read_back(house):
    await house.hear(declare())
    with pytest.raises(Transient, match="entry 1 of flight-delay has not been read back"):
        await tell_what_follows(house.log[0], ledger=Ledger(), told=Published(), lead_ms=0)


async def test_a_plan_waits_until_the_one_before_was_read_back(house):
    entries = await house.hear(declare(), trained("t1"))
    told = Published()
    with pytest.raises(Transient, match="the plan of entry 2 of flight-delay"):
        await tell_what_follows(entries[-1], ledger=house.ledger, told=told, lead_ms=0)
    first, second = house.releases
    read_release(first, 1_000, told=told)
    (again,) = await tell_what_follows(entries[-1], ledger=house.ledger, told=told, lead_ms=0)
    assert again.plan == second.plan
    assert [past.effective.timestamp() for past in again.history] == [3.0]


async def test_an_entry_that_another_writer_was_faster_than_has_no_followers(house):
    entries = await house.hear(declare())
    late = entries[1].model_copy(update={"event_id": "late"})
    assert not await tell_what_follows(late, ledger=house.ledger, told=Published(), lead_ms=0)
