"""What is said about a record."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, create_model

from services.validation.domain.judgement import Faulty, Sound, judge

NOW = datetime(2024, 1, 1, tzinfo=UTC)
FIVE = timedelta(minutes=5)


class Features(BaseModel):
    x: int | None = None


class Event(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    id: str
    time: datetime
    features: Features


WIDE: type[BaseModel] = create_model(
    "Wide", __config__=ConfigDict(strict=True), **{f"f{n}": (int, ...) for n in range(30)}
)


def judged(value: bytes) -> Sound | Faulty:
    return judge(Event, value, NOW, FIVE)


def faulty(value: bytes) -> Faulty:
    verdict = judged(value)
    assert isinstance(verdict, Faulty)
    return verdict


def test_the_edge_of_the_future_is_allowed():
    assert isinstance(judged(b'{"id":"a","time":"2024-01-01T00:05:00Z","features":{}}'), Sound)
    verdict = faulty(b'{"id":"a","time":"2024-01-01T00:05:01Z","features":{}}')
    assert verdict.rules == ("time: future",)
    assert verdict.time is None


def test_a_record_that_is_wrong_elsewhere_keeps_its_time():
    assert faulty(b'{"id":1,"time":"2023-12-31T00:00:00Z","features":{}}').time == datetime(
        2023, 12, 31, tzinfo=UTC
    )
    assert faulty(b'{"id":1,"time":"2025-01-01T00:00:00Z","features":{}}').time is None


def test_many_errors_are_cut_and_counted():
    verdict = judge(WIDE, b"{}", NOW, FIVE)
    assert isinstance(verdict, Faulty)
    assert verdict.reason.endswith("f19: Field required; and 10 more")
    assert len(verdict.fields) == 20
    assert len(verdict.rules) == 30


def test_names_that_users_invent_are_counted_under_one_rule():
    first = b'{"id":"a","time":"2024-01-01T00:00:00Z","features":{},"x1":0,"x2":0}'
    assert faulty(first).rules == ("*: extra_forbidden",)
    assert faulty(first).fields == ("x1", "x2")


def test_values_are_in_declared_order_and_times_as_they_were_written():
    verdict = judged(b'{ "features": {"x": 3}, "time": "2024-01-01 00:00:00Z", "id": "a\\u00e9" }')
    assert verdict == Sound("aé", NOW, "2024-01-01 00:00:00Z", (3,))
    assert judged(b'{"id":"a","time":"2024-01-01T00:00:00Z","features":{}}') == Sound(
        "a", NOW, "2024-01-01T00:00:00Z", (None,)
    )


def test_a_name_may_occur_once_in_each_object():
    twice = faulty(b'{"id":"a","time":"2024-01-01T00:00:00Z","id":"a","features":{}}')
    assert twice.rules == ("id: repeated",)
    assert twice.time == NOW


def test_digits_are_no_time():
    assert faulty(b'{"id":"a","time":"1704067200","features":{}}').rules == ("time: not_iso",)
    assert faulty(b'{"id":1,"time":"1704067200","features":{}}').time is None
