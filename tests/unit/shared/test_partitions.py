"""Records are placed as Kafka's own clients place them, however many there are."""

import random

import pytest
from aiokafka.partitioner import DefaultPartitioner

from shared.kafka import partitions
from shared.kafka.partitions import FEW, load, load_columns, partitions_of

PARTITIONS = list(range(7))


@pytest.fixture(autouse=True, params=[None, load_columns, load])
def way(request, monkeypatch):
    monkeypatch.setattr(partitions, "_hashes", [])
    if request.param:
        request.param()


@pytest.mark.parametrize("longest", [1, 40, 400])
@pytest.mark.parametrize("number", [1, FEW - 1, FEW, 2000])
def test_every_key_goes_where_the_client_library_would_send_it(number, longest):
    chance = random.Random(number)
    keys = [chance.randbytes(chance.randrange(longest)) for _ in range(number)]
    expected = [DefaultPartitioner()(key, PARTITIONS, PARTITIONS) for key in keys]
    assert partitions_of(keys, PARTITIONS) == expected


def test_records_without_a_key_go_somewhere_and_the_others_where_they_belong():
    keys = [b"a", None] * FEW
    placed = partitions_of(keys, PARTITIONS)
    assert set(placed[::2]) == {DefaultPartitioner()(b"a", PARTITIONS, PARTITIONS)}
    assert set(placed) <= set(PARTITIONS)


def test_nothing_is_placed_nowhere():
    assert partitions_of([], PARTITIONS) == []
