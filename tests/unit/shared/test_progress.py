"""Progress: lag, age, and when a consumer counts as dead."""

from datetime import UTC, datetime

import pytest

from shared.kafka import Position
from shared.kafka.message import Run
from shared.kafka.progress import Progress
from shared.telemetry import GAUGES
from tests.doubles import START_MS, record, telemetry

A, B = Position("t", 0), Position("t", 1)


class Clock:
    """Seconds after the records of `tests.doubles` were appended."""

    seconds = 0.0

    def __call__(self):
        return datetime.fromtimestamp(START_MS / 1000 + self.seconds, UTC)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def progress(clock):
    progress = Progress(telemetry(), "g", 0, clock)
    progress.assigned({A, B})
    return progress


def run(position, *offsets):
    return Run(position, [record(position.topic, b"", offset=o) for o in offsets])


def gauge(name, what="g"):
    return GAUGES[name].labels("test", what)._value.get()


def test_lag_is_shown_per_partition_and_in_all(progress):
    progress.committed({A: 3, B: 5}, [run(A, 2), run(B, 4)])
    progress.look({A: 10, B: 5}, held=())
    assert progress.lag == {A: 7, B: 0}
    assert (gauge("lag"), gauge("partition_lag", "g:t[0]")) == (7, 7)


def test_the_oldest_record_grows_older_while_its_batch_is_stuck(progress, clock):
    progress.took([run(A, 2)])
    for clock.seconds in (10, 90):
        progress.look({A: 3, B: 0}, held=())
        assert gauge("oldest_age_seconds") == clock.seconds


def test_ages_are_never_negative_and_begin_anew_when_nothing_is_behind(progress, clock):
    clock.seconds = -5
    progress.took([run(A, 2)])
    progress.look({A: 3}, held=())
    assert gauge("oldest_age_seconds") == 0
    clock.seconds = 50
    progress.committed({A: 3}, [run(A, 2)])
    progress.look({A: 3}, held=())
    clock.seconds = 3600
    progress.look({A: 4}, held=())
    assert gauge("oldest_age_seconds") == 0


def test_lag_without_a_commit_is_death(progress):
    progress.committed({A: 3}, [run(A, 2)])
    progress.look({A: 3}, held=())
    assert progress.stuck() is None
    progress.look({A: 9}, held=())
    assert "6 records behind" in (progress.stuck() or "")


def test_what_moves_is_alive_however_far_behind(progress):
    progress.stuck_s = 1000
    progress.committed({A: 3}, [run(A, 2)])
    progress.look({A: 9}, held=())
    assert progress.stuck() is None


def test_a_held_partition_is_neither_late_nor_dead(progress):
    progress.committed({A: 3}, [run(A, 2)])
    progress.look({A: 9}, held={A})
    assert progress.stuck() is None
    assert (gauge("lag"), gauge("oldest_age_seconds")) == (0, 0)
    assert gauge("partition_lag", "g:t[0]") == 6


def test_what_is_read_elsewhere_is_followed_no_longer(progress):
    progress.committed({A: 3, B: 3}, [run(A, 2), run(B, 2)])
    progress.look({A: 9, B: 9}, held=())
    progress.assigned({B})
    assert progress.lag == {}
    assert not any(
        sample.labels["what"] == "g:t[0]"
        for metric in GAUGES["partition_lag"].collect()
        for sample in metric.samples
    )
