"""Only what can be shown to be ours is ended."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from deploy.local import census

SLEEPER = (sys.executable, "-c", "import signal; signal.pause()")
STUBBORN = (
    *(sys.executable, "-uc"),
    "import signal; signal.signal(15, signal.SIG_IGN); print(); signal.pause()",
)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen]:
    with subprocess.Popen(SLEEPER) as process:
        yield process
        process.kill()


def test_a_running_process_is_found_and_ended(sleeper, tmp_path):
    census.write(tmp_path / "file", [census.Entry.of("one", sleeper.pid)])
    (entry,) = census.read(tmp_path / "file")
    assert entry.find().pid == sleeper.pid
    assert census.end([entry], 5) == [entry]
    assert not psutil.pid_exists(sleeper.pid)


def test_a_process_that_only_has_the_same_id_is_spared(sleeper):
    stranger = replace(census.Entry.of("one", sleeper.pid), created=1.0)
    assert stranger.find() is None
    assert census.end([stranger], 5) == []
    assert sleeper.poll() is None


def test_what_ignores_the_request_is_killed():
    with subprocess.Popen(STUBBORN, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        census.end([census.Entry.of("one", process.pid)], 0.2)
        assert not psutil.pid_exists(process.pid)


def test_an_ended_process_is_not_found(sleeper):
    entry = census.Entry.of("one", sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert entry.find() is None
    assert census.Entry.of("one", sleeper.pid) is None


def test_without_a_file_nobody_runs(tmp_path):
    assert census.read(tmp_path / "none") == ()
