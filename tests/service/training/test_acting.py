"""The table of what an alarm leads to: drift, bad data, the schedule, and what a restart keeps."""

import pytest

from contracts.alerts import ALERT_RAISED, ALERT_RESOLVED
from contracts.performance import DRIFT_DETECTED
from contracts.training import (
    MODEL_TRAINED,
    TRAINING_DECIDED,
    TRAINING_REQUESTED,
    TrainingRequested,
)
from tests.service.training.world import (
    DAY,
    MODEL,
    START,
    World,
    artifact_of,
    declaration,
    outcomes,
)

QUIET = {"min_labels": 100, "max_age": "520w", "cooldown": "7d"}


@pytest.fixture
def world(tmp_path):
    """Twenty days of outcomes, twenty a day, under a champion that is in no hurry."""
    world = World(tmp_path, declaration(retraining=QUIET))
    world.release("0.0.1", trained_at=START)
    world.append(outcomes("binary", 400, per_day=20))
    return world


def more(first, count):
    return outcomes("binary", count, first=first, per_day=20)


def decided(world):
    return world.kafka.events(TRAINING_DECIDED)


def told(world):
    return [(event.trigger, event.reason) for event in decided(world)]


def span(since, until):
    """Drift with its change point and the end of its window, in days."""
    return {
        "since": START + since * DAY,
        "window": {"start": START + (until - 1) * DAY, "end": START + until * DAY},
    }


LASTING = span(8, 19)


def request(world, number=1):
    event = TrainingRequested.caused_by(
        f"command {number}", model=MODEL, at=START, actor="jane", reason="try again"
    )
    world.kafka.tell(TRAINING_REQUESTED, event)


@pytest.mark.parametrize("detector", ["loss", "calibration", "slices"])
async def test_drift_that_labels_show_starts_a_run_on_what_came_after(world, detector):
    drift = world.drift("0.0.1", detector=detector, **LASTING)
    await world.settle()
    (started,) = decided(world)
    assert started.decision == "started"
    assert started.reason == (
        f"started: {detector} drift of version 0.0.1 since 2013-01-09; "
        "240 matured labels since then, 400 in all"
    )
    assert started.since == drift.since
    (job,) = world.launcher.jobs
    assert (job.since, job.excluded) == (drift.since, ())


@pytest.mark.parametrize("detector", ["inputs", "impact"])
async def test_drift_of_inputs_is_answered_once_and_waits_for_nothing(world, detector):
    world.drift("0.0.1", detector=detector, recommendation="inform", **LASTING)
    await world.settle()
    await world.kafka.redeliver(world.consumer)
    await world.hear(more(400, 300))
    assert told(world) == [("drift", f"suppressed: inform only, {detector} drift: loss is up")]
    assert world.launcher.jobs == []


async def test_drift_waits_for_labels_and_windows_since_the_change_through_a_restart(world):
    world.drift("0.0.1", "1", **span(18, 19))
    await world.settle()
    assert told(world) == [
        (
            "drift",
            "suppressed: 40 matured labels in 1d since the change of 2013-01-19, 100 in 10d needed",
        )
    ]
    assert decided(world)[0].since is None
    world.restart()
    await world.hear(more(400, 120))
    again = world.drift("0.0.1", "2", **span(19, 25))
    await world.hear(more(520, 40))
    assert told(world)[1:] == [
        (
            "drift",
            "suppressed: 200 matured labels in 9d since the change of 2013-01-19, "
            "100 in 10d needed",
        )
    ]
    world.restart()
    await world.hear(more(560, 1))
    started = decided(world)[-1]
    assert started.reason == (
        "started: loss drift of version 0.0.1 since 2013-01-19; "
        "201 matured labels since then, 561 in all"
    )
    assert (started.cause, started.since) == (again.event_id, START + 18 * DAY)
    assert world.launcher.jobs[0].since == started.since


async def test_drift_that_passed_starts_nothing(world):
    world.drift("0.0.1", **span(18, 19))
    await world.settle()
    await world.hear(more(400, 400))
    assert len(decided(world)) == 1
    assert world.launcher.jobs == []


async def test_a_new_champion_clears_the_drift_that_waits(world):
    world.drift("0.0.1", **span(12, 19))
    await world.settle()
    world.release("0.0.2", trained_at=START + 15 * DAY, revision=2)
    await world.hear(more(400, 100))
    assert len(decided(world)) == 1
    assert world.launcher.jobs == []


async def test_drift_that_cooled_down_starts_by_itself(world):
    request(world)
    await world.settle()
    world.drift("0.0.1", **span(14, 26))
    await world.hear(more(400, 139))
    assert told(world)[1:] == [("drift", "suppressed: cooldown, last run 6d ago, cool-down 7d")]
    await world.hear(more(539, 1))
    assert told(world)[2][1].startswith("started: loss drift of version 0.0.1 since 2013-01-15")


async def test_after_a_refused_candidate_drift_needs_twice_the_labels_of_its_change(world):
    world.drift("0.0.1", "1", **LASTING)
    await world.hear(more(400, 1))
    assert world.launcher.jobs
    await world.hear(more(401, 160))
    world.drift("0.0.1", "2", **span(8, 28))
    await world.settle()
    assert told(world)[1] == (
        "drift",
        "suppressed: the last candidate was not taken; 401 matured labels in 20d since the change "
        "of 2013-01-09, twice the 241 of then needed",
    )
    await world.hear(more(561, 80))
    assert len(decided(world)) == 2
    await world.hear(more(641, 1))
    assert told(world)[2][1].startswith("started: loss drift")
    assert "; 482 matured labels since then" in told(world)[2][1]


async def test_drift_of_windows_that_a_run_has_seen_is_answered(world):
    world.drift("0.0.1", "1", **LASTING)
    await world.settle()
    world.drift("0.0.1", "2", **LASTING)
    await world.settle()
    assert told(world)[1] == ("drift", "suppressed: a run has answered this drift already")


# -- bad data ----------------------------------------------------------------------------------

BLOCKED = "suppressed: data quality, x is missing in 23 % of predictions, 9 % before"


@pytest.mark.parametrize("version", ["0.0.1", None])
async def test_bad_data_block_drift_and_when_they_are_good_again_it_starts(world, version):
    alert = world.alert(START + 18 * DAY, version)
    drift = world.drift("0.0.1", **LASTING)
    await world.hear(more(400, 20))
    await world.hear(more(420, 20))
    assert told(world) == [("drift", BLOCKED)]
    world.restart()
    world.resolve(alert, START + 20 * DAY)
    await world.hear(more(440, 1))
    _, started = decided(world)
    assert started.cause == drift.event_id
    assert started.labels == 441 - 40
    assert started.reason.startswith(
        "started: loss drift of version 0.0.1 since 2013-01-09; 241 matured labels since then"
    )
    (span,) = started.excluded
    assert (span.start, span.end) == (START + 18 * DAY, START + 20 * DAY)
    assert world.launcher.jobs[0].excluded == started.excluded


async def test_bad_data_block_age_and_volume_and_this_is_said_once(tmp_path):
    world = World(tmp_path, declaration(retraining={**QUIET, "max_age": "2d"}))
    world.release("0.0.1", trained_at=START)
    alert = world.alert(START + 10 * DAY)
    for first in (0, 400, 420):
        await world.hear(more(first, 400 if first == 0 else 20))
    assert told(world) == [("age", BLOCKED)]
    world.resolve(alert, START + 11 * DAY)
    await world.hear(more(440, 1))
    assert told(world)[1][1].startswith("started: the champion is 22d old")
    assert decided(world)[1].labels == 441 - 20


async def test_who_asks_overrules_an_open_alert_and_its_rows_are_learned_from(world):
    world.alert(START + 18 * DAY)
    request(world)
    await world.settle()
    (started,) = decided(world)
    assert started.decision == "started"
    assert "although data quality, x is missing in 23 %" in started.reason
    assert started.excluded == ()
    assert started.labels == 400


async def test_an_alert_on_an_earlier_version_blocks_nothing(world):
    world.alert(START + 18 * DAY, "0.0.0")
    world.drift("0.0.1", **LASTING)
    await world.settle()
    assert decided(world)[0].decision == "started"


async def test_the_fields_are_named_where_the_summary_does_not(world):
    world.alert(START + 18 * DAY, summary="fewer labels than usual", blamed=("x", "place"))
    world.drift("0.0.1", **LASTING)
    await world.settle()
    assert told(world)[0][1] == "suppressed: data quality, x, place: fewer labels than usual"


async def test_what_was_left_out_stays_out_when_the_alerts_are_gone(world):
    alert = world.alert(START + 3 * DAY)
    world.resolve(alert, START + 5 * DAY)
    request(world)
    await world.settle()
    for topic in (ALERT_RAISED, ALERT_RESOLVED, DRIFT_DETECTED):
        for position in list(world.kafka.logs):
            if position.topic == world.kafka.names.topic(topic):
                del world.kafka.logs[position]
    world.restart()
    await world.hear(more(400, 160))
    request(world, 2)
    await world.settle()
    first, second = decided(world)
    assert first.excluded == second.excluded != ()
    assert second.labels == 560 - 40


# -- the schedule ------------------------------------------------------------------------------


async def test_labels_double_between_a_champions_run_and_the_next(tmp_path):
    world = World(tmp_path, declaration(retraining=QUIET))
    await world.hear(outcomes("binary", 100, per_day=10))
    (first,) = decided(world)
    world.release("0.0.1", trained_at=START + 3 * DAY, artifact=artifact_of(first.run_id))
    await world.hear(outcomes("binary", 99, first=100, per_day=10))
    assert len(decided(world)) == 1
    await world.hear(outcomes("binary", 1, first=199, per_day=10))
    assert told(world)[1] == (
        "volume",
        "started: 200 matured labels, twice the 100 of the champion's run",
    )


async def test_a_first_model_that_is_refused_comes_back_with_twice_the_labels(tmp_path):
    world = World(tmp_path, declaration(retraining=QUIET))
    await world.hear(outcomes("binary", 100, per_day=10))
    await world.hear(outcomes("binary", 99, first=100, per_day=10))
    assert told(world)[1] == (
        "volume",
        "suppressed: the last candidate was not taken; 199 matured labels since the run of 0.0.0, "
        "twice the 100 of then needed",
    )
    await world.hear(outcomes("binary", 1, first=199, per_day=10))
    assert [event.decision for event in decided(world)] == ["started", "suppressed", "started"]


async def test_a_declared_volume_is_kept_as_it_is(tmp_path):
    world = World(tmp_path, declaration(retraining={**QUIET, "volume": 150}))
    await world.hear(outcomes("binary", 100, per_day=20))
    await world.hear(more(100, 150))
    await world.hear(more(250, 150))
    assert [event.labels for event in decided(world) if event.decision == "started"] == [
        100,
        250,
        400,
    ]


async def test_what_a_run_says_of_its_baseline_is_told(world):
    request(world)
    await world.settle()
    (trained,) = world.kafka.events(MODEL_TRAINED)
    assert trained.baseline == "b" * 64
    assert trained.reason.endswith("pinned rows; not watched: x: varies by 0.9 sd")


async def test_a_refused_run_about_drift_does_not_put_off_the_schedule(tmp_path):
    world = World(tmp_path, declaration(retraining={**QUIET, "max_age": "30d"}))
    world.release("0.0.1", trained_at=START)
    world.append(outcomes("binary", 400, per_day=20))
    world.drift("0.0.1", **LASTING)
    await world.settle()
    await world.hear(more(400, 220))
    assert [(event.trigger, event.decision) for event in decided(world)] == [
        ("drift", "started"),
        ("age", "started"),
    ]
