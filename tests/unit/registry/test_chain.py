"""The hash chain notices what was changed, taken out or put in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.chain import Broken, digest, verify
from services.registry.domain.ledger import Book, Ledger
from services.registry.domain.state import ZEROS, Entry, fold
from services.registry.handlers import entry_of
from tests.service.registry.house import (
    House,
    declare,
    evaluation,
    promote,
    roll_back,
    trained,
)


def written():
    house = House()
    house.hears(declare(), trained("t1"), promote("p", "5.0.0"), roll_back("r"))
    house.hears(trained("t2", evaluation("0.0.0")))
    return [entry_of(recorded) for recorded in house.log]


LOG = written()


def test_the_digest_is_that_of_the_canonical_json():
    # RFC 8785: keys sorted, no blanks, numbers as ECMAScript writes them.
    import hashlib

    assert digest({"b": 1.0, "a": "ä"}) == hashlib.sha256('{"a":"ä","b":1}'.encode()).hexdigest()


def test_a_sound_log_holds():
    assert verify(LOG) == LOG
    assert LOG[0].previous == ZEROS


@given(st.integers(0, len(LOG) - 2), st.sampled_from(["actor", "reason", "at", "cause"]))
def test_an_edited_entry_is_noticed(place, field):
    document = {**LOG[place].document, field: "forged"}
    forged = replace(LOG[place], document=document, digest=digest(document))
    with pytest.raises(Broken, match=f"entry {place + 2} "):
        verify([*LOG[:place], forged, *LOG[place + 1 :]])


@given(st.integers(0, len(LOG) - 2))
def test_a_missing_entry_is_noticed(place):
    with pytest.raises(Broken, match=f"entry {place + 1} is missing"):
        verify([*LOG[:place], *LOG[place + 1 :]])


@given(st.lists(st.integers(0, len(LOG) - 1), max_size=5))
def test_copies_do_no_harm(again):
    log = list(LOG)
    for place in sorted(again, reverse=True):
        log.insert(place + 1, LOG[place])
    assert verify(log) == LOG


def test_an_entry_of_a_writer_that_came_second_does_not_count():
    late = replace(LOG[2], event_id="late", cause="late", digest="f" * 64)
    assert verify([*LOG[:4], late, *LOG[4:]]) == LOG


def test_decisions_on_a_head_that_another_writer_moved_are_void():
    book = Book()
    for entry in LOG[:2]:
        book.confirm(entry)
    ours = replace(LOG[2], digest="f" * 64, cause="ours")
    book.pending.append(ours)
    assert book.head.head == "f" * 64
    book.confirm(LOG[2])
    assert book.pending == []
    assert book.head == fold(LOG[:3])
    assert not book.knows("ours")


def test_a_broken_ledger_says_so_until_it_is_restored():
    ledger = Ledger()
    ledger.confirm("m", LOG[0])
    gap: Entry = LOG[2]
    with pytest.raises(Broken, match="the log of m cannot be trusted: entry 2 is missing"):
        ledger.confirm("m", gap)
    assert ledger.broken
