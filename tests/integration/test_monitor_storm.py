"""The join in a storm, short; `python -m tests.storm` is the long one."""

from __future__ import annotations

import pytest

from deploy.local.stack import infrastructure
from tests.storm.faults import SHORT
from tests.storm.said import said
from tests.storm.storm import storm, through


@pytest.fixture
def mortal(tmp_path):
    """A Kafka and a Redis that may be killed."""
    with infrastructure(tmp_path / "infrastructure") as running:
        yield running


async def test_nothing_is_lost_and_nothing_is_wrong(mortal, names, tmp_path):
    streams = [said("m", seed=1, n=700), said("other", seed=2, n=400, missing="negative")]
    async with storm(mortal, names, tmp_path, streams, rhythm_s=0.3) as one:
        live = await through(one, SHORT, kill_every_s=8)
        assert not live.faults, (one.copies.deaths, one.differing())
        await one.replay(flushed=False)
        into_living = await one.until_complete()
        await one.replay(flushed=True)
        into_empty = await one.until_complete()
    assert not into_living.faults
    assert not into_empty.faults
    assert live.outcomes == into_living.outcomes == into_empty.outcomes
    assert live.records < into_living.records < into_empty.records
