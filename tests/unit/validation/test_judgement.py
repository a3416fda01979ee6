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


def test_content_is_what_is_said_not_how():
    one = judged(b'{"id":"a:b","time":"2024-01-01T00:00:00+00:00","features":{}}')
    two = judged(b'{ "features": {}, "time": "2024-01-01T00:00:00Z", "id": "a:b" }')
    other = judged(b'{"id":"a:b","time":"2024-01-01T00:00:00Z","features":{"x":1}}')
    assert isinstance(one, Sound)
    assert isinstance(two, Sound)
    assert isinstance(other, Sound)
    assert one.content == two.content != other.content
