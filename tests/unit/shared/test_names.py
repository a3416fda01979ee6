"""Real topic names, and how long their records are kept."""

import re
from datetime import timedelta

from contracts import DATA_TOPICS, TOPICS
from contracts.data import EVENTS, EVENTS_QUARANTINED, PREDICTIONS
from shared.kafka import Names
from shared.kafka.names import control_topics, data_topics

DAY_MS = 86_400_000


def configs(specs):
    return {spec.name: spec.topic_configs for spec in specs}


def test_a_pattern_finds_the_topics_of_every_model_and_nothing_else():
    names = Names("p.")
    pattern = names.pattern(EVENTS)
    assert re.fullmatch(pattern, names.data(EVENTS, "flight-delay"))[1] == "flight-delay"
    others = [names.data(card, "m") for card in DATA_TOPICS if card is not EVENTS]
    assert not any(re.fullmatch(pattern, name) for name in [*others, "x.data.m.events.v1"])


def test_the_broker_stamps_every_record():
    names = Names("p.")
    specs = [*control_topics(names, TOPICS, 1), *data_topics(names, "m", 4, 1)]
    assert {spec.topic_configs["message.timestamp.type"] for spec in specs} == {"LogAppendTime"}


def test_records_that_wait_for_labels_are_kept_for_longer_than_they_wait():
    names = Names("p.")
    short = configs(data_topics(names, "m", 4, 1, timedelta(hours=36)))
    long = configs(data_topics(names, "m", 4, 1, timedelta(days=30)))
    topic = names.data(PREDICTIONS, "m")
    assert short[topic]["retention.ms"] == str(30 * DAY_MS)
    assert long[topic]["retention.ms"] == str(67 * DAY_MS)
    assert long[topic + ".dlq"]["retention.ms"] == str(134 * DAY_MS)


def test_what_parks_records_takes_larger_ones_than_their_source():
    made = configs(data_topics(Names("p."), "m", 4, 1))
    large = {name for name, config in made.items() if "max.message.bytes" in config}
    parking = {name for name in made if name.endswith(".dlq")}
    assert large == parking | {Names("p.").data(EVENTS_QUARANTINED, "m")}
