"""The stream of weather readings against the raw rows, and its declaration."""

import csv
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import examples.temperature
from examples.source import data_folder
from examples.stream import Day, Rows, replayed
from examples.temperature.replay import FIRST_DAY, LAST_DAY, replay, temperature_rows
from examples.weather import READINGS, load_weather

DECLARATION = Path(examples.temperature.__file__).parent / "declaration.yaml"
EVENTS, LABELS = 26_115, 25_972

Raw = Mapping[tuple[str, datetime], Mapping[str, str]]


@pytest.fixture(scope="module")
def rows() -> Rows:
    return temperature_rows(load_weather())


@pytest.fixture(scope="module")
def days(rows: Rows) -> list[Day]:
    return list(replayed(rows, FIRST_DAY, LAST_DAY))


@pytest.fixture(scope="module")
def raw() -> Raw:
    with (data_folder() / "weather.csv").open(encoding="utf-8") as file:
        return {
            (row["origin"], datetime.fromisoformat(row["time_hour"])): row
            for row in csv.DictReader(file)
        }


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    return yaml.safe_load(DECLARATION.read_text(encoding="utf-8"))["spec"]


def measured(raw: Raw, origin: str, hour: datetime, name: str) -> float | None:
    value = raw.get((origin, hour), {}).get(name, "NA")
    return None if value == "NA" else float(value)


def difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def expected(raw: Raw, origin: str, hour: datetime) -> dict[str, Any]:
    """The features from rows that are not later than `hour`, one by one."""

    def before(hours: int, name: str) -> float | None:
        return measured(raw, origin, hour - timedelta(hours=hours), name)

    last_day = [temp for ago in range(24) if (temp := before(ago, "temp")) is not None]
    return {
        "origin": origin,
        "hour": (hour.hour - 5) % 24,
        **{name: before(0, name) for name in READINGS},
        "temp_change_3h": difference(before(0, "temp"), before(3, "temp")),
        "temp_change_24h": difference(before(0, "temp"), before(24, "temp")),
        "pressure_change_3h": difference(before(0, "pressure"), before(3, "pressure")),
        "temp_mean_24h": sum(last_day) / len(last_day) if last_day else None,
    }


def test_every_reading_is_told_once_and_in_order(days: list[Day]):
    keys = [message.key for day in days for message in day.events]
    assert len(keys) == len(set(keys)) == EVENTS
    told = [message.time for day in days for message in day.merged()]
    assert told == sorted(told)
    assert {message.kind for day in days for message in day.merged()} == {"events", "labels"}


def test_features_are_what_the_station_had_measured_by_then(days: list[Day], raw: Raw):
    messages = [message for day in days for message in day.events]
    chosen = np.random.default_rng(24).choice(len(messages), 400, replace=False)
    for message in [*messages[:90], *messages[-30:], *(messages[n] for n in chosen)]:
        event = json.loads(message.value)
        stamp, origin = event["id"].split("/")
        hour = datetime.fromisoformat(f"{stamp}:00+00:00")
        assert message.time == hour + timedelta(hours=1), "a reading is known when its hour is over"
        assert datetime.fromisoformat(event["time"]) == message.time
        for name, value in expected(raw, origin, hour).items():
            close = pytest.approx(value, abs=1e-4) if isinstance(value, float) else value
            assert event["features"][name] == close, (event["id"], name)


def test_a_label_is_the_temperature_24_hours_later(rows: Rows, raw: Raw):
    days = list(replayed(rows, FIRST_DAY, date(2013, 12, 31)))
    labels = {m.key.decode(): m for day in days for m in day.labels}
    assert len(labels) == LABELS
    for origin, hour in raw:
        later = measured(raw, origin, hour + timedelta(hours=24), "temp")
        label = labels.get(f"{hour:%Y-%m-%dT%H}/{origin}")
        assert (label is None) == (later is None)
        if label is not None:
            assert json.loads(label.value)["value"] == later
            assert label.time == hour + timedelta(hours=25)


def test_a_later_start_tells_no_label_of_an_untold_event(days: list[Day]):
    (part,) = replay(date(2013, 5, 1), date(2013, 5, 1))
    same = next(day for day in days if day.date == part.date)
    assert part.events == same.events
    assert len(same.labels) == 72
    assert part.labels == []
    assert part.events[0].time == datetime(2013, 5, 1, 4, tzinfo=UTC)


def test_the_declared_features_are_the_streamed_ones(rows: Rows, spec: dict[str, Any]):
    assert list(spec["features"]) == list(rows.features)
    assert not {"month", "day", "year"} & set(rows.features)


def test_three_readings_of_the_year_are_natural_dirt(rows: Rows, spec: dict[str, Any]):
    rejected = {}
    for name, declared in spec["features"].items():
        column = rows.features[name]
        assert declared.get("nullable") or not np.ma.is_masked(column), name
        if declared["type"] != "category":
            bad = (column < declared["min"]) | (column > declared["max"])
            rejected[name] = rows.ids(np.flatnonzero(np.ma.filled(bad, False)))
    assert {name: ids for name, ids in rejected.items() if ids} == {
        "wind_speed": ["2013-02-12T08/EWR"],
        "temp_change_3h": ["2013-05-09T02/JFK", "2013-05-09T05/JFK"],
    }


def test_the_answer_of_yesterday_is_five_degrees_off(rows: Rows):
    off = np.abs(rows.label - rows.features["temp"].filled(np.nan))
    assert np.nanmean(off) == pytest.approx(5.2, abs=0.1)
