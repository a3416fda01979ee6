"""A dead process is started again: at once at first, then less and less often."""

import pytest

from deploy.local.errors import LocalError
from deploy.local.supervision import Keeper


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Mortal:
    """What a keeper needs of a process."""

    name, log, pid, exit_code = "mortal", "mortal.log", 7, -9

    def __init__(self) -> None:
        self.alive = True
        self.refuses = False

    def start(self) -> None:
        if self.refuses:
            raise LocalError("no port", "free it")
        self.alive = True


class Case:
    def __init__(self) -> None:
        self.clock, self.process, self.said = Clock(), Mortal(), []
        self.keeper = Keeper(self.process, self.said.append, self.clock)

    def seconds_to_restart(self) -> float:
        """Let the keeper look every 0.1 s until it has started the process."""
        began = self.clock.now
        while not self.keeper.look():
            self.clock.now += 0.1
            assert self.clock.now < began + 100
        return self.clock.now - began

    def wait_after_death(self) -> float:
        self.process.alive = False
        return self.seconds_to_restart()


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_living_process_is_left_alone(case):
    assert not case.keeper.look()
    assert not case.said


def test_the_first_start_comes_at_once_and_each_death_doubles_the_wait_up_to_ten_seconds(case):
    waits = [case.wait_after_death() for _ in range(9)]
    assert waits == pytest.approx([0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10], abs=0.15)


def test_half_a_minute_of_health_forgives(case):
    for _ in range(5):
        case.wait_after_death()
    case.clock.now += 30
    case.keeper.look()
    assert case.wait_after_death() == 0


def test_less_does_not(case):
    for _ in range(5):
        case.wait_after_death()
    case.clock.now += 29
    case.keeper.look()
    assert case.wait_after_death() == pytest.approx(3.2, abs=0.15)


def test_a_start_that_fails_is_a_death_too(case):
    case.process.alive, case.process.refuses = False, True
    for _ in range(20):
        assert not case.keeper.look()
        case.clock.now += 0.1
    case.process.refuses = False
    case.seconds_to_restart()
    assert case.said[0] == "mortal ended with exit code -9; starting it again, log: mortal.log"
    assert case.said[1].startswith("mortal cannot start: no port")
    assert case.said[1].endswith("next start in 0.2 s, log: mortal.log")
    assert case.said[-1] == "mortal started again (pid 7)"
