"""How every store behaves: run over the one in memory and over Redis."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from services.monitor.domain.copies import REACH, SIZE
from services.monitor.domain.labels import Label, Remembered
from services.monitor.domain.watermarks import NEVER, Heard
from services.monitor.ports import Arrived, Counted, Due, Head, Places
from tests.service.monitor.store import BIN_US, label

A, B = b"a" * 16, b"b" * 16


async def claimed(store, first, ids, given_up=NEVER, partition=0):
    keys, offsets = b"".join(key for key, _ in ids), [offset for _, offset in ids]
    packed = struct.pack(f">{len(offsets)}q", *offsets)
    (answer,) = await store.claim("m", [Due(partition, first, keys, packed, given_up, 60)])
    return answer


async def kept(store, first, labels, end=None, partition=0):
    end = first + len(labels) if end is None else end
    keys, packed = b"".join(key for key, _ in labels), b"".join(label for _, label in labels)
    (answer,) = await store.keep("m", [Arrived(partition, first, end, keys, packed)])
    return answer


class StoreBehaviour:
    """Subclasses give a fixture `store`, empty."""

    @pytest.fixture
    async def placed(self, store):
        await store.place("m", 0, Places(0, 0))
        return store

    async def test_knows_nothing_at_first(self, store):
        assert await store.places("m", 0) is None
        assert await store.heard("m") == ({}, NEVER)
        assert await store.windows("m", 0) == b""
        assert await store.ledger("m") is None
        assert not await store.knows_ledgers()
        assert await kept(store, 0, [(A, label(1, 1.0, 0))]) is None
        assert await claimed(store, 0, [(A, 0)]) is None

    async def test_keeps_ledgers_by_model(self, store):
        assert await store.write_ledger("m", b"\x00one", None)
        assert await store.ledger("m") == b"\x00one"
        assert await store.ledger("n") is None
        assert await store.knows_ledgers()

    async def test_a_ledger_is_replaced_by_who_knows_it(self, store):
        assert not await store.write_ledger("m", b"two", b"\x00one")
        assert await store.write_ledger("m", b"\x00one", None)
        assert not await store.write_ledger("m", b"two", None)
        assert not await store.write_ledger("m", b"two", b"else")
        assert await store.write_ledger("m", b"two", b"\x00one")
        assert await store.ledger("m") == b"two"

    async def test_watermarks_never_fall(self, store):
        await store.advance("m", {0: Heard(100, 5.5), 1: Heard(50, 6.5)}, 50)
        await store.advance("m", {0: Heard(90, 7.5)}, 40)
        assert await store.heard("m") == ({0: Heard(100, 7.5), 1: Heard(50, 6.5)}, 50)

    async def test_joins_the_labels_that_wait(self, placed):
        time = 1_371_135_720_123_456
        assert await kept(placed, 0, [(A, label(time, 1.0, 0)), (B, label(2, 0.0, 1))]) == {}
        answer = await claimed(placed, 0, [(A, 7), (b"c" * 16, 8)])
        assert [Remembered.unpacked(record) for record in answer.records] == [
            Remembered(7, 2, (Label(time, 1.0, 0),)),
            Remembered(8, 2, ()),
        ]
        assert answer.places == Places(0, 2)

    async def test_a_label_after_the_join_is_told_what_it_changes(self, placed):
        await claimed(placed, 0, [(A, 7)])
        answer = await kept(placed, 0, [(B, label(5, 1.0, 0)), (A, label(5, 1.0, 0))])
        ((row, record),) = answer.items()
        assert row == 1
        assert Remembered.unpacked(record) == Remembered(7, 0, (Label(5, 1.0, 0),))

    async def test_the_same_label_again_changes_nothing(self, placed):
        for offset in (0, 1, 0):
            await kept(placed, offset, [(A, label(5, 1.0, offset))])
        answer = await claimed(placed, 0, [(A, 7)])
        assert Remembered.unpacked(answer.records[0]).labels == (Label(5, 1.0, 0),)

    async def test_of_very_many_labels_the_oldest_go(self, placed):
        await kept(placed, 0, [(A, label(n, 1.0, n)) for n in range(40)])
        answer = await claimed(placed, 0, [(A, 7)])
        remembered = Remembered.unpacked(answer.records[0]).labels
        assert [label.offset for label in remembered] == list(range(8, 40))

    async def test_a_copy_of_a_prediction_finds_the_first(self, placed):
        answer = await claimed(placed, 0, [(A, 7), (A, 8)])
        again = await claimed(placed, 0, [(A, 7), (A, 8)])
        assert [Remembered.unpacked(r).prediction for r in answer.records] == [7, 7]
        assert answer.records == again.records

    async def test_what_was_told_before_a_loss_counts_the_labels_of_then(self, store):
        await store.place("m", 0, Places(0, 0, told_predictions=5, told_labels=1))
        await kept(store, 0, [(A, label(5, 1.0, 0)), (A, label(6, 0.0, 1)), (B, label(6, 0.0, 2))])
        answer = await claimed(store, 0, [(A, 4), (B, 5)])
        assert [Remembered.unpacked(r).joined_at for r in answer.records] == [1, 3]
        assert answer.places == Places(0, 3, 5, 1)

    async def test_refuses_a_batch_beyond_its_place(self, placed):
        assert await kept(placed, 1, [(A, label(1, 1.0, 1))]) is None
        assert await claimed(placed, 1, [(A, 1)]) is None
        assert await placed.places("m", 0) == Places(0, 0)

    async def test_places_move_up_only(self, placed):
        await kept(placed, 0, [], end=9)
        await kept(placed, 0, [], end=4)
        assert await placed.places("m", 0) == Places(0, 9)

    async def test_windows_are_replaced_by_who_knows_them(self, placed):
        assert await placed.count("m", [Counted(0, 0, 10, b"\x00ten")]) == [True]
        assert await placed.count("m", [Counted(0, 0, 12, b"other")]) == [False]
        assert await placed.windows("m", 0) == b"\x00ten"
        assert (await claimed(placed, 10, [])).windows == b"\x00ten"
        await placed.place("m", 0, Places(11, 0))
        assert await placed.windows("m", 0) == b"\x00ten"
        await placed.place("m", 0, Places(11, 0), b"anew")
        assert await placed.windows("m", 0) == b"anew"

    async def test_heads_are_replaced_by_who_knows_them(self, store):
        assert await store.heads("m", [0, 1]) == [None, None]
        assert await store.count_heads("m", [Counted(0, 0, 10, b"nobody's")]) == [False]
        await store.place_head("m", 0, Head(5, b"\x00five"))
        new = [Counted(0, 5, 10, b"\x00ten"), Counted(1, 0, 3, b"unknown")]
        assert await store.count_heads("m", new) == [True, False]
        assert await store.count_heads("m", new[:1]) == [False]
        assert await store.heads("m", [1, 0]) == [None, Head(10, b"\x00ten")]
        await store.place_head("m", 0, Head(2, b"again"))
        assert await store.heads("m", [0]) == [Head(2, b"again")]
        assert await store.heads("n", [0]) == [None]
        # The join of the same partition knows nothing of it.
        assert await store.places("m", 0) is None

    async def test_ids_are_kept_with_the_head_that_counts_them(self, store):
        assert await store.recent("m", 0) == b""
        await store.place_head("m", 0, Head(5, b"five"))
        await store.count_heads("m", [Counted(0, 5, 7, b"seven", A)])
        await store.count_heads("m", [Counted(0, 5, 7, b"else", B), Counted(1, 0, 2, b"", B)])
        await store.count_heads("m", [Counted(0, 7, 7, b"told")])
        await store.count_heads("m", [Counted(0, 7, 9, b"nine", B)])
        assert await store.recent("m", 0) == A + B
        assert await store.recent("m", 1) == await store.recent("n", 0) == b""
        await store.place_head("m", 0, Head(3, b"again"))
        assert await store.recent("m", 0) == b""

    async def test_enough_ids_are_kept_and_not_many_more(self, store):
        ids = np.arange(3 * REACH, dtype="<u8").tobytes()
        await store.place_head("m", 0, Head(0, b""))
        for end in range(1000, 3 * REACH + 1, 1000):
            part = ids[SIZE * (end - 1000) : SIZE * end]
            assert await store.count_heads("m", [Counted(0, end - 1000, end, b"", part)]) == [True]
            known = await store.recent("m", 0)
            assert ids[: SIZE * end].endswith(known)
            assert SIZE * min(end, REACH) <= len(known) <= 2 * SIZE * REACH

    async def test_counts_labels_that_are_given_up_once(self, placed):
        day = BIN_US
        labels = [
            (A, label(day, 1.0, 0)),
            (B, label(day + 1, 1.0, 1)),
            (b"c" * 16, label(5 * day, 1.0, 2)),
        ]
        await kept(placed, 0, labels)
        assert (await claimed(placed, 0, [(A, 7)], given_up=day + 5)).unmatched == 0
        assert (await claimed(placed, 0, [], given_up=2 * day)).unmatched == 1
        assert (await claimed(placed, 0, [], given_up=2 * day)).unmatched == 0

    async def test_partitions_and_models_are_apart(self, placed):
        await placed.place("m", 1, Places(0, 0))
        await kept(placed, 0, [(A, label(5, 1.0, 0))])
        answer = await claimed(placed, 0, [(A, 7)], partition=1)
        assert Remembered.unpacked(answer.records[0]).labels == ()
        assert await placed.places("n", 0) is None
