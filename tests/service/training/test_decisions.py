"""From what training hears to what it says: decisions, runs, restarts."""

import asyncio

import pytest

from contracts.training import (
    MODEL_TRAINED,
    TRAINING_DECIDED,
    TRAINING_REQUESTED,
    TrainingRequested,
)
from services.training.ports import Result
from tests.service.training.world import (
    DAY,
    MODEL,
    START,
    TOPIC,
    World,
    declaration,
    outcomes,
    position,
    result,
)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def decisions(world):
    return [(e.trigger, e.decision, e.reason) for e in world.kafka.events(TRAINING_DECIDED)]


async def champion_of_some_days(world):
    """A champion trained on five days, and twenty more days of outcomes."""
    world.release("0.0.1", trained_at=START + 5 * DAY)
    await world.hear(outcomes("binary", 400, per_day=20))


async def test_drift_leads_to_a_run_and_to_a_model(world):
    await champion_of_some_days(world)
    world.drift("0.0.1")
    await world.settle()
    (decided,) = world.kafka.events(TRAINING_DECIDED)
    (trained,) = world.kafka.events(MODEL_TRAINED)
    assert decided.decision == "started"
    assert decided.labels == 400
    assert trained.status == "trained"
    assert trained.run_id == decided.run_id
    assert trained.cause == decided.event_id
    (job,) = world.launcher.jobs
    assert job.version == decided.dataset_version
    assert job.until == decided.at
    assert job.champion.version == "0.0.1"


async def test_the_decision_sees_outcomes_that_were_only_buffered(world):
    world.release("0.0.1", trained_at=START)
    world.append(outcomes("binary", 150))
    world.drift("0.0.1")
    await world.kafka.settle()
    assert world.kafka.events(TRAINING_DECIDED)[0].labels == 150


async def test_the_first_model_is_trained_as_soon_as_there_are_labels_enough(world):
    await world.hear(outcomes("binary", 99))
    assert decisions(world) == []
    await world.hear(outcomes("binary", 1, first=99))
    assert decisions(world) == [("volume", "started", "started: first model, 100 matured labels")]


async def test_age_is_refused_once_for_a_cause_and_starts_when_it_is_gone(tmp_path):
    world = World(
        tmp_path, declaration(retraining={"min_labels": 500, "max_age": "2d", "cooldown": "7d"})
    )
    world.release("0.0.1", trained_at=START + DAY)
    for first in (0, 350, 370):
        await world.hear(outcomes("binary", 350 if first == 0 else 20, first=first))
    refused = ("age", "suppressed", "suppressed: 350 matured labels, 500 needed")
    assert decisions(world) == [refused]
    world.restart()
    await world.hear(outcomes("binary", 110, first=390))
    assert decisions(world) == [
        refused,
        (
            "age",
            "started",
            "started: the champion is 3d old, at most 2d allowed; 500 matured labels",
        ),
    ]


async def test_labels_that_the_gate_would_find_too_few_start_nothing(tmp_path):
    world = World(tmp_path, declaration(gates={"slice_rows": 50}))
    await world.hear(outcomes("binary", 149))
    assert decisions(world) == []
    await world.hear(outcomes("binary", 1, first=149))
    assert decisions(world) == [("volume", "started", "started: first model, 150 matured labels")]


async def test_the_cooldown_holds_after_a_failed_run_too(world):
    await champion_of_some_days(world)
    world.launcher.failure = "no memory"
    world.drift("0.0.1", "1")
    await world.settle()
    await world.hear(outcomes("binary", 60, first=400, per_day=20))
    world.drift("0.0.1", "2")
    await world.settle()
    (trained,) = world.kafka.events(MODEL_TRAINED)
    assert (trained.status, trained.reason) == ("failed", "no memory")
    assert decisions(world)[1] == (
        "drift",
        "suppressed",
        "suppressed: cooldown, last run 3d ago, cool-down 7d",
    )
    world.launcher.failure = None
    await world.hear(outcomes("binary", 81, first=460, per_day=20))
    assert decisions(world)[2][1] == "started"
    assert world.kafka.events(TRAINING_DECIDED)[2].new_labels == 141


async def test_drift_of_an_earlier_champion_is_suppressed(world):
    await champion_of_some_days(world)
    world.drift("0.0.0")
    await world.settle()
    assert decisions(world)[0][2] == (
        "suppressed: drift was measured on version 0.0.0 which is no longer the champion"
    )
    assert world.launcher.jobs == []


async def test_a_request_counts_in_event_time_whatever_the_clock_of_who_asks(world):
    await champion_of_some_days(world)
    world.kafka.tell(
        TRAINING_REQUESTED,
        TrainingRequested.caused_by(
            "command 1",
            model=MODEL,
            at=START + 5000 * DAY,
            actor="jane",
            reason="new data",
        ),
    )
    await world.settle()
    (decided,) = world.kafka.events(TRAINING_DECIDED)
    assert decided.trigger == "request"
    assert decided.at == START + 399 * DAY / 20


async def test_two_triggers_at_once_start_one_run(world):
    await champion_of_some_days(world)
    world.drift("0.0.1", "1")
    world.drift("0.0.1", "2")
    await world.settle()
    assert [kind[1:] for kind in decisions(world)] == [
        (
            "started",
            "started: loss drift of version 0.0.1 since 2013-01-01; "
            "400 matured labels since then, 400 in all",
        ),
        ("suppressed", "suppressed: a run is in progress"),
    ]
    assert len(world.launcher.jobs) == 1


async def test_the_same_drift_twice_leads_to_one_decision(world):
    await champion_of_some_days(world)
    world.drift("0.0.1")
    await world.settle()
    await world.kafka.redeliver(world.consumer)
    world.restart()
    await world.settle()
    assert len(decisions(world)) == 1
    assert len(world.launcher.jobs) == 1


async def test_drift_of_an_unknown_model_is_parked(tmp_path):
    world = World(tmp_path)
    event = world.drift("0.0.1").model_copy(update={"model": "stranger"})
    world.kafka.tell(
        TRAINING_REQUESTED,
        TrainingRequested.caused_by(event, model="stranger", at=START, actor="jane", reason=""),
    )
    await world.settle()
    assert len(world.kafka.records("test.training.requested.v1.dlq")) == 1


class Stuck:
    """A launcher whose runs hang until let go."""

    def __init__(self):
        self.jobs, self.begun, self.go = [], asyncio.Event(), asyncio.Event()

    async def run(self, job) -> Result:
        self.jobs.append(job)
        self.begun.set()
        await self.go.wait()
        return result(job)


async def test_the_loop_goes_on_while_a_run_does(world):
    world.launcher = Stuck()
    world.restart()
    world.release("0.0.1", trained_at=START + DAY)
    world.append(outcomes("binary", 200, per_day=10))
    world.drift("0.0.1")
    await world.kafka.settle()
    world.append(outcomes("binary", 100, first=200, per_day=10))
    await world.kafka.settle()
    await world.timer.once()
    assert (await world.store.summary(MODEL, unlabelled=False)).labels == 300
    assert world.kafka.events(MODEL_TRAINED) == []
    world.launcher.go.set()
    await world.settle()
    assert len(world.kafka.events(MODEL_TRAINED)) == 1


async def test_an_interrupted_run_is_taken_up_after_a_restart(world):
    world.launcher = stuck = Stuck()
    world.restart()
    world.append(outcomes("binary", 200))
    await world.kafka.settle()
    await world.timer.once()
    await world.kafka.settle()
    await asyncio.wait_for(stuck.begun.wait(), 5)
    await world.runs.stop()
    assert world.kafka.events(MODEL_TRAINED) == []

    stuck.go.set()
    world.restart()
    for table, positions in world.kafka._tables:
        world.kafka._feed(table, positions)
    ours = frozenset({position("test.training.decided.v1"), position(TOPIC)})
    for hook in world.consumer.positioning:
        await hook(ours)
    await world.settle()
    (trained,) = world.kafka.events(MODEL_TRAINED)
    first, second = stuck.jobs
    assert first == second
    assert trained.run_id == first.run_id


async def test_runs_are_broken_off_when_they_become_another_copys(world):
    world.launcher = Stuck()
    world.restart()
    world.append(outcomes("binary", 200))
    await world.kafka.settle()
    await world.timer.once()
    await world.kafka.settle()
    await asyncio.wait_for(world.launcher.begun.wait(), 5)
    await world.consumer.positioning[1](frozenset({position(TOPIC)}))
    await world.settle()
    assert len(world.launcher.jobs) == 1
    assert world.kafka.events(MODEL_TRAINED) == []
