"""Numbers and times, by decoder, against Python's own."""

import random
import struct
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import EventReader, Field
from tests.unit.shared.events.material import EPOCH

READERS = {
    name: EventReader([Field("x", "float"), Field("n", "int", nullable=True)], kernels=name == "k")
    for name in ("k", "general")
}
RECORD = '{"id":"a","time":"%s","features":{"x":%s,"n":%s}}'


def read(name: str, xs: list[str], ns: list[str] | None = None, time: str = "2020-01-01T00:00:00Z"):
    """Read one number per record, after a record that shows the template."""
    ns = ns or ["1"] * len(xs)
    values = [RECORD % (time, x, n) for x, n in zip(xs, ns, strict=True)]
    return READERS[name].read([value.encode() for value in values])


@pytest.fixture(scope="module", autouse=True)
def template():
    reader = READERS["k"]
    assert read("k", ["1"]).accepted.all()
    reader._general.fill = lambda *_: None  # compiled code alone


def bits(numbers) -> list[int]:
    return np.array(numbers, dtype=np.float64).view(np.uint64).tolist()


def agree(texts: list[str], least: float = 1.0) -> None:
    """Hold both decoders to float(); the kernel may leave some, but reads at least this share."""
    expected = np.array([float(text) for text in texts])
    finite = np.isfinite(expected)
    general = read("general", texts)
    assert general.accepted.tolist() == finite.tolist()
    assert bits(general.matrix[finite, 0]) == bits(expected[finite])
    kernel = read("k", texts)
    assert not (kernel.accepted & ~finite).any()
    assert bits(kernel.matrix[kernel.accepted, 0]) == bits(expected[kernel.accepted])
    assert kernel.accepted.sum() >= least * finite.sum()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_the_shortest_spelling_of_any_float(numbers):
    agree([repr(number) for number in numbers], least=0)


def test_random_floats_of_any_size_are_read_by_the_kernel():
    chance = random.Random(3)
    raw = [struct.unpack("d", chance.randbytes(8))[0] for _ in range(30_000)]
    normal = [repr(x) for x in raw if np.isfinite(x) and abs(x) > 2.3e-308]
    agree(normal)
    agree([repr(chance.gauss(0, 100)) for _ in range(30_000)])
    agree([repr(round(chance.gauss(0, 1e5), chance.randrange(9))) for _ in range(30_000)])


def test_half_way_cases_round_to_even():
    chance = random.Random(4)
    wide = [(chance.getrandbits(53) | 2**52) * 2 + 1 for _ in range(2000)]
    agree([str(m << s) + ".0" for m in wide for s in range(9)], least=0.7)
    agree([f"{m * 5**s}e-{s}" for m in wide for s in range(4)])


@given(
    st.from_regex(r"\A(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?\Z"),
    st.booleans(),
)
@settings(max_examples=200)
def test_any_spelling_of_a_number(text, negative):
    if negative and float(text) == 0 and text.isdigit():
        return
    agree([f"-{text}" if negative else text], least=0)


def test_the_sign_of_zero_is_that_of_the_contract():
    for name in READERS:
        cells = read(name, ["-0", "-0.0", "-0e1", "0"], ["-0", "0", "1", "null"]).matrix
        assert bits(cells[:, 0]) == bits([0.0, -0.0, -0.0, 0.0])
        assert bits(cells[0, 1]) == bits(0.0)


@given(st.integers(-(2**53), 2**53))
def test_whole_numbers(number):
    for name in READERS:
        events = read(name, ["0"], [str(number)])
        assert events.matrix[0, 1] == number


@given(st.datetimes(min_value=datetime(1001, 1, 1)), st.integers(-1439, 1439), st.booleans())
@settings(max_examples=200)
def test_times(moment, offset, zulu):
    zone = timezone(timedelta(minutes=0 if zulu else offset))
    try:
        moment = moment.replace(tzinfo=zone)
        expected = (moment - EPOCH) // timedelta(microseconds=1)
    except OverflowError:
        return
    text = moment.isoformat().replace("+00:00", "Z") if zulu else moment.isoformat()
    for name in READERS:
        events = read(name, ["1"], time=text)
        assert events.accepted.all()
        assert events.time_us[0] == expected
        assert events.texts(events.times) == [text.encode()]


@pytest.mark.parametrize("year", [1000, 1900, 1970, 2000, 2023, 2024, 9999])
def test_every_day_of_a_year_and_none_more(year):
    days = [f"{year:04}-{month:02}-{day:02}" for month in range(14) for day in range(33)]
    for name in READERS:
        for day in days:
            text = f"{day}T23:59:59.5Z"
            try:
                expected = (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
            except ValueError:
                expected = None
            events = read(name, ["1"], time=text)
            assert (events.time_us[0] if events.accepted[0] else None) == expected
