"""A shorter cut of the fault matrix; `make faults` runs all of it, and judges the times too."""

from functools import partial

import pytest

from tests.faults import broker, handlers, kills, poison
from tests.faults.world import World

CUT = {
    "kill": partial(kills.sigkill, rounds=1, between_s=0),
    "poison": partial(poison.mixed_in, seconds=4),
    "raise": handlers.raising,
    "kafka-1s": partial(broker.killed, away_s=1),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("faults")) as world:
        yield world


@pytest.mark.parametrize("name", CUT)
async def test_the_bound_holds(world, name):
    found = await CUT[name](world)
    assert not found.breaches, found
