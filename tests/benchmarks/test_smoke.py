"""The benchmarks themselves: they run, and they notice wrong output. Never a time."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from contracts.data import PREDICTIONS
from tests.benchmarks.figures import SUMMARY, middle, summarise, table
from tests.benchmarks.material import MODEL, Events, poisoned, values
from tests.benchmarks.meter import Meter
from tests.benchmarks.race import race
from tests.benchmarks.stream import PRIOR, Feed, serving, stored, summary

EVENTS = 4000


@pytest.fixture(scope="module")
def ground(real, tmp_path_factory):
    track, artifact, watched = stored(real, tmp_path_factory.mktemp("benchmark"), trees=10)
    return track, Feed(EVENTS, artifact, watched, track.model)


def chosen(feed, *labels):
    return [one for one in serving(feed) if one.label in labels]


def test_the_stream_is_measured_and_its_scores_are_right(ground):
    track, feed = ground
    said = []
    contestants = chosen(feed, "echo", "driftwheel", "driftwheel, any JSON")
    rows = race(track, "serving", PREDICTIONS.name(MODEL), contestants, 1, said.append)
    assert [row["variant"] for row in rows] == [one.label for one in contestants]
    assert rows[0]["ratio"] == [1.0]
    assert all(row[name][0] > 0 for row in rows for name in ("cpu_us", "per_s", "rss_mb", "ratio"))
    assert summary(rows) == {"serving_echo_ratio": rows[1]["ratio"][0]}
    assert len(said) == 3


def test_wrong_scores_are_noticed(ground):
    track, feed = ground
    (ours,) = chosen(feed, "driftwheel")
    with pytest.raises(AssertionError, match="4000 of 4000 scores are not those of Booster"):
        track.run(replace(ours, release=PRIOR), PREDICTIONS.name(MODEL), checked=True)


def test_a_partial_run_updates_its_own_figures_only(tmp_path):
    assert summarise(tmp_path, {"serving_echo_ratio": 0.5})["chain_events_per_s"] is None
    summarise(tmp_path, {"chain_events_per_s": 1000.0})
    written = json.loads((tmp_path / "summary.json").read_text())
    assert list(written) == list(SUMMARY)
    assert written["serving_echo_ratio"] == 0.5
    assert written["chain_events_per_s"] == 1000.0


def test_samples_are_shown_by_their_median_and_spread():
    shown = table("t", [{"variant": "a", "cpu_us": [3.0, 1.0, 2.0]}, {"variant": "b"}])
    assert list(shown.columns[1].cells) == ["2 (1-3)", ""]
    assert middle([]) is None


def test_the_meter_reads_from_the_warm_up_to_the_last_event():
    meter = Meter(warm=10, events=30)
    for _ in range(4):
        meter.advance(10)
    assert meter.done.is_set()
    assert meter.reading()["events"] == 20


def test_events_are_what_they_are_said_to_be():
    events = Events(values(500, seed=5))
    assert 450 < sum(map(len, events.values)) / 500 < 458
    spoiled = poisoned(events.values, 0.01)
    assert sum(one != other for one, other in zip(events.values, spoiled, strict=True)) == 5
    irregular = Events(events.matrix, irregular=True)
    assert [json.loads(value) for value in irregular.values] == [
        json.loads(value) for value in events.values
    ]
    assert all(rb"\u002d" in value for value in irregular.values)
