"""The judge of the matrix: a planted fault of every kind is found, and nothing else."""

import pytest

from tests.faults.history import Effect, History, Verdict

MUST = ("events.validated", "predictions", "store")


def effect(kind, name, offset, content=b"same", partition=0, at=0.0, revision=""):
    return Effect(kind, name, (kind, partition, offset), content, at, revision)


@pytest.fixture
def history():
    """Three records of one key, each with all its effects."""
    history = History()
    for number in range(3):
        name = f"e{number}"
        sent = history.send(
            name, at=float(number), must=MUST, key=b"k", ordered=True, content=b"same"
        )
        sent.fate = "ok"
        for kind in MUST:
            history.saw(effect(kind, name, number, at=number + 0.5))
    return history


def test_what_was_promised_and_came_is_no_complaint(history):
    assert history.verdict() == Verdict()
    assert list(history.verdict().complaints()) == []


@pytest.mark.parametrize("kind", MUST)
def test_an_acknowledged_record_without_an_effect_is_lost(history, kind):
    del history.effects[kind]["e1"]
    assert history.verdict().lost == (f"{kind}: e1",)
    assert history.missing_of(kind) == ["e1"]


@pytest.mark.parametrize("fate", ["unknown", "failed"])
def test_what_was_not_acknowledged_may_be_missing(history, fate):
    sent = history.send("e3", at=3.0, must=MUST)
    sent.fate = fate
    assert history.verdict() == Verdict()
    assert history.unanswered() == (fate == "unknown")


def test_an_unknown_send_may_appear_but_a_refused_one_may_not(history):
    sent = history.send("e3", at=3.0, must=MUST, content=b"same")
    history.saw(effect("predictions", "e3", 9))
    assert history.verdict() == Verdict()
    sent.fate = "failed"
    assert history.verdict().phantoms == ("predictions: e3",)


def test_a_copy_in_a_log_is_counted_and_does_no_harm(history):
    history.saw(effect("predictions", "e1", 7))
    assert history.verdict() == Verdict(copies=1)
    assert history.copies() == {"predictions": 1}


def test_a_copy_that_says_something_else_is_a_duplicate(history):
    history.saw(effect("predictions", "e1", 7, content=b"other"))
    assert history.verdict().duplicates == ("predictions: e1",)


def test_a_store_must_not_hold_even_a_copy(history):
    history.holds("store", [effect("store", name, 0) for name in ("e0", "e1", "e1", "e2")])
    assert history.verdict().duplicates == ("store: e1",)


def test_what_a_store_holds_now_counts_and_not_what_it_held(history):
    history.holds("store", [effect("store", "e0", 0)])
    assert history.missing_of("store") == ["e1", "e2"]


def test_a_late_label_revises_an_outcome_and_doubles_nothing(history):
    history.sends["e1"].must = (*MUST, "outcomes")
    history.saw(effect("outcomes", "e1", 0, b"unlabelled", revision="None"))
    history.saw(effect("outcomes", "e1", 1, b"labelled", revision="12:00"))
    assert history.verdict() == Verdict(revised=1)
    history.saw(effect("outcomes", "e1", 2, b"labelled otherwise", revision="12:00"))
    assert history.verdict().duplicates == ("outcomes: e1",)


def test_a_place_that_is_read_again_is_no_second_effect(history):
    history.saw(effect("predictions", "e1", 1))
    assert history.verdict() == Verdict()


def test_an_effect_of_nothing_is_a_phantom(history):
    history.saw(effect("predictions", "nobody", 7))
    assert history.verdict().phantoms == ("predictions: nobody",)


def test_a_bad_record_that_is_predicted_is_a_phantom_and_a_good_one_in_the_dead_letters(history):
    bad = history.send("bad", at=4.0, must=("dlq",), content=b"\xff")
    bad.fate = "ok"
    history.saw(effect("dlq", "bad", 0, b"\xff"))
    history.saw(effect("predictions", "bad", 7))
    history.saw(effect("dlq", "e1", 1))
    assert set(history.verdict().phantoms) == {"predictions: bad", "dlq: e1"}


def test_bytes_that_changed_on_the_way_are_altered(history):
    sent = history.send("bad", at=4.0, must=("dlq",), content=b"")
    sent.fate = "ok"
    history.saw(effect("dlq", "bad", 0, None))
    assert history.verdict().altered == ("dlq: bad",)


def test_a_record_that_overtakes_another_of_its_key_is_disordered(history):
    for name, offset in (("e0", 12), ("e1", 11), ("e2", 10)):
        history.effects["predictions"][name] = [effect("predictions", name, offset)]
    assert history.verdict().disordered == ("predictions: e1", "predictions: e0")


def test_a_copy_after_the_fact_breaks_no_order(history):
    history.saw(effect("predictions", "e0", 9))
    assert history.verdict().disordered == ()


def test_other_keys_may_overtake(history):
    sent = history.send("other", at=5.0, must=("predictions",), key=b"j", ordered=True)
    sent.fate = "ok"
    history.saw(effect("predictions", "other", -1))
    assert history.verdict() == Verdict()


def test_recovery_counts_from_what_was_sent_after_the_fault(history):
    assert history.first("predictions", since=0.5) == 1.5
    assert history.first("predictions", since=9.0) is None


def test_complaints_tell_numbers_and_examples(history):
    for name in ("e0", "e1", "e2"):
        del history.effects["store"][name]
    assert list(history.verdict().complaints()) == ["3 lost (store: e0, store: e1, store: e2)"]
