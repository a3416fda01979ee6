"""The storm's judge finds each kind of fault, and none where there is none."""

from __future__ import annotations

import json

import pytest

from tests.storm.oracle import truth_of
from tests.storm.said import said
from tests.storm.seen import Seen, judged

STREAM = said("m", seed=3, n=200)
TRUTH = truth_of(STREAM)


def outcome(event_id, word):
    label, label_time, status = word
    value = {"id": event_id, "label": label, "label_time": label_time, "status": status}
    return f"{event_id}:{label_time}:{label}", json.dumps(value).encode()


def part(start, tallies, partition=0, through=9):
    end = start.replace(hour=start.hour + 6) if start.hour < 18 else start.replace(hour=23)
    return json.dumps(
        {
            "event_id": f"{start}-{partition}-{through}",
            "cause": "c",
            "model": "m",
            "at": end.isoformat(),
            "window": {"start": start.isoformat(), "end": end.isoformat()},
            "partition": partition,
            "partitions": 2,
            "through": through,
            "tallies": tallies,
        }
    ).encode()


def tally(sums):
    return {name: getattr(sums, name) for name in sums.__slots__}


def tallies(start):
    versions = sorted({version for at, version, _ in TRUTH.cells if at == start})
    return [
        {
            "version": version,
            "total": tally(TRUTH.cells[start, version, ""]),
            "slices": {
                "carrier": {
                    carrier: tally(sums)
                    for (at, of, carrier), sums in TRUTH.cells.items()
                    if (at, of) == (start, version) and carrier
                }
            },
        }
        for version in versions
    ]


@pytest.fixture
def seen():
    """What a faultless monitor would have published."""
    seen = Seen()
    for event_id, words in TRUTH.words.items():
        for word in words:
            seen.outcome(*outcome(event_id, word))
    for start in {start for start, _, _ in TRUTH.cells}:
        seen.window(part(start, tallies(start)))
    return seen


def one_that_is(status, several=False):
    return next(
        event_id
        for event_id, words in TRUTH.words.items()
        if words[-1][2] == status and (len(words) > 1) == several
    )


def test_what_is_right_has_no_fault(seen):
    verdict = judged(seen, TRUTH)
    assert verdict.faults == {}
    assert verdict.outcomes == sum(map(len, TRUTH.words.values())) > 200


def test_copies_are_no_fault(seen):
    for event_id, words in TRUTH.words.items():
        for word in words:
            seen.outcome(*outcome(event_id, word))
    assert judged(seen, TRUTH).faults == {}


def test_a_lost_one(seen):
    del seen.words[one_that_is("labelled")]
    assert judged(seen, TRUTH).faults == {"lost": 1, "missing": 1}


def test_a_correction_that_was_never_told(seen):
    seen.words[one_that_is("corrected", several=True)].pop()
    faults = judged(seen, TRUTH).faults
    assert (faults["wrong"], faults["missing"]) == (1, 1)


def test_an_old_word_after_the_last_one_changes_nothing(seen):
    event_id = one_that_is("corrected", several=True)
    seen.outcome(*outcome(event_id, TRUTH.words[event_id][0]))
    assert judged(seen, TRUTH).faults == {}


def test_a_time_out_of_what_has_a_label(seen):
    seen.outcome(*outcome(one_that_is("labelled"), (None, None, "unlabelled")))
    assert judged(seen, TRUTH).faults == {"ghosts": 1}


def test_an_outcome_of_nothing_that_was_sent(seen):
    seen.outcome(*outcome("e12345", (True, None, "labelled")))
    assert judged(seen, TRUTH).faults == {"ghosts": 1}


def test_an_unlabelled_one_that_got_a_label(seen):
    event_id = one_that_is("unlabelled")
    seen.outcome(*outcome(event_id, (True, "2013-06-01T00:00:00Z", "labelled")))
    assert judged(seen, TRUTH).faults == {"wrong": 1, "ghosts": 1, "unlabelled": 1}


def test_two_contents_under_one_id(seen):
    ce_id, value = outcome("e1", TRUTH.words["e1"][0])
    seen.outcome(ce_id, value + b" ")
    assert judged(seen, TRUTH).faults == {"conflicting": 1}


def test_a_window_counted_twice_in_part(seen):
    start = min(start for start, _, _ in TRUTH.cells)
    seen.window(part(start, tallies(start), partition=1))
    assert judged(seen, TRUTH).faults["cells"] >= 2


def test_a_window_that_is_missing(seen):
    del seen.parts[min(start for start, _, _ in TRUTH.cells), 0]
    assert judged(seen, TRUTH).faults["cells"] >= 2


def test_of_two_parts_the_one_that_has_come_further_counts(seen):
    start = min(start for start, _, _ in TRUTH.cells)
    seen.window(part(start, [], through=3))
    assert judged(seen, TRUTH).faults == {}
    seen.window(part(start, [], through=30))
    assert judged(seen, TRUTH).faults["cells"] >= 2


def test_a_parked_record(seen):
    seen.parked += 1
    assert judged(seen, TRUTH).faults == {"parked": 1}
