"""What a reader accepts is what the contract accepts, whichever decoder took it."""

import json
import random

import numpy as np
import pytest

from shared.events import EventReader, Field, PerText, compiled, load
from tests.unit.shared.events.material import (
    FEATURES,
    FIELDS,
    check,
    declared,
    event,
    features,
    reader,
    spelled,
)


@pytest.fixture
def chance():
    return random.Random(7)


@pytest.fixture(params=[True, False], ids=["kernels", "general"])
def either(request):
    return reader(kernels=request.param)


def test_whatever_is_spelled_in_another_way_says_the_same(either, chance):
    item = event(chance)
    turned = {"features": dict(reversed(item["features"].items())), **item}
    check(
        [
            spelled(item),
            spelled(item, compact=False),
            json.dumps(turned, indent=2).encode(),
            spelled(item | {"id": 'Z\u00fc"rich\\ \U0001f600'}),
            json.dumps(item | {"id": "Zürich"}, ensure_ascii=False).encode(),
            spelled(item | {"features": item["features"] | {"origin": "Zürich"}}),
            spelled(item).replace(b'"carrier"', b'"c\\u0061rrier"'),
            spelled(item).replace(b'"id"', b'"\\u0069d"'),
        ],
        either,
    )


@pytest.mark.parametrize("compact", [True, False])
def test_three_readings_of_one_batch_agree_to_the_bit(chance, compact):
    values = [spelled(event(chance), compact) for _ in range(300)]
    mixed, freeform = reader(), reader()
    freeform.read([])
    freeform.decoder._prefer = lambda template: None
    for each in (mixed, freeform):
        each.read(values)
    *kernels, general = check(values, mixed, freeform, reader(kernels=False))
    for kernel in kernels:
        assert kernel.accepted.all()
        assert kernel.matrix.tobytes() == general.matrix.tobytes()
        for name in ("ids", "spelled_ids", "times", "features", "time_us"):
            assert np.array_equal(getattr(kernel, name), getattr(general, name))


def test_producers_that_take_turns_are_all_read_by_templates(chance, monkeypatch):
    shapes = [
        lambda item: spelled(item),
        lambda item: spelled(item, compact=False),
        lambda item: spelled({"features": item["features"], **item}),
        lambda item: spelled(
            {"time": item["time"], "features": item["features"], "id": item["id"]}
        ),
    ]
    alone, batches = reader(), []
    for _ in range(6):
        batches = [[shape(event(chance)) for shape in shapes * 25] for _ in range(4)]
        for batch in batches:
            check(batch, alone)
    monkeypatch.setattr(compiled, "fill_freeform", lambda *arguments: arguments[2])
    deaf(alone)
    assert alone.read(batches[0]).accepted.all()


@pytest.mark.parametrize("compact", [True, False])
def test_nullable_features_may_be_missing_where_code_is_compiled(chance, compact):
    alone = reader()
    alone.read([spelled(event(chance), compact) for _ in range(200)])
    deaf(alone)
    sparse = [
        event(chance) | {"features": {k: v for k, v in features(chance).items() if v is not None}}
        for _ in range(200)
    ]
    (events,) = check([spelled(item, compact) for item in sparse], alone)
    assert events.accepted.all()


def test_any_order_and_layout_is_read_by_compiled_code(chance):
    alone = reader()
    alone.read([spelled(event(chance)) for _ in range(200)])
    deaf(alone)
    values = []
    for _ in range(200):
        item = event(chance)
        pairs = chance.sample(list(item["features"].items()), len(FIELDS))
        turned = chance.sample(list((item | {"features": dict(pairs)}).items()), 3)
        values.append(json.dumps(dict(turned), indent=chance.choice([None, 1, "\t"])).encode())
    (events,) = check([b" \r\n" + value + b"\n" for value in values], alone)
    assert events.accepted.all()


def test_the_first_feature_may_not_be_missing_with_its_comma():
    odd = EventReader([Field("a", "float", nullable=True), Field("b", "float")])
    record = b'{"id":"x","time":"2020-01-01T00:00:00Z","features":{%b}}'
    odd.read([record % b'"a":1,"b":2'])
    features = [b'"a":1,"b":2', b',"b":2', b'"b":2', b'"b":2,"a":1', b'"a":1,,"b":2', b'"a":1']
    accepted = odd.read([record % each for each in features]).accepted
    assert accepted.tolist() == [True, False, True, True, False, False]


def test_loading_again_changes_nothing_that_is_read(either, chance):
    before = spelled(event(chance))
    check([before], either)
    load()
    (events,) = check([before, spelled(event(chance))], either)
    assert "x" not in events.vocabulary[0]


def test_compiled_code_reads_where_it_is_wanted(either, chance):
    check([spelled(event(chance))], either)
    assert (either.decoder is not None) == either.kernels


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{}",
        b"null",
        b"[1]",
        b"\xff\xfe",
        b"\0" * 100,
        b'{"id":' * 5000,
        b"[" * 100_000,
        b'{"id":"' + b"x" * 1_000_000,
    ],
)
def test_garbage_is_not_accepted_and_harms_no_neighbour(either, chance, value):
    good = [spelled(event(chance)) for _ in range(3)]
    for _ in range(2):
        (events,) = check([good[0], value, good[1], value, good[2]], either)
        assert events.accepted.tolist() == [True, False, True, False, True]


def test_a_huge_text_is_not_accepted(either, chance):
    good = event(chance)
    for _ in range(2):
        long = [spelled(good | {"id": "x" * size}) for size in (200, 201, 3_000_000)]
        (events,) = check([*long, spelled(good | {"id": "ü" * 200}), spelled(good)], either)
        assert events.accepted.tolist() == [True, False, False, True, True]


def test_nothing_is_read_from_nothing(either):
    events = either.read([])
    assert len(events) == 0
    assert events.matrix.shape == (0, len(FIELDS))


@pytest.mark.parametrize("again", [b'"id":"b"', b'"time":"2020-01-01T00:00:00Z"', b'"features":{}'])
def test_a_name_that_occurs_twice_is_left_to_the_judge(either, chance, again):
    good = spelled(event(chance, time="2020-01-01T00:00:00Z"))
    inner = good.replace(b'"minute":', b'"minute":1,"minute":')
    escaped = good.replace(b'"minute":', b'"minut\\u0065":1,"minute":')
    null = good.replace(b'"wind"', b'"wind":null,"wind"')
    for _ in range(2):  # compiled code reads what has been learnt
        (events,) = check([b"{" + again + b"," + good[1:], inner, escaped, null, good], either)
        assert events.accepted.tolist() == [False] * 4 + [True]


def test_codes_name_the_texts_that_occurred(either, chance):
    carriers = [f"carrier {number}" for number in range(3000)] * 2
    values = [spelled(event(chance, features=features(chance, carrier=c))) for c in carriers]
    check(values[:3000], either)
    (events,) = check(values, either)
    assert events.vocabulary[0] == carriers[:3000]
    assert events.vocabulary[1] == list(FEATURES["origin"]["categories"])


def test_too_many_texts_start_the_codes_anew(chance):
    small = reader(limit=100)
    first = small.read([spelled(event(chance, features=features(chance, carrier="first")))])
    for turn in range(5):
        batch = [features(chance, carrier=f"{turn} {number}") for number in range(80)]
        (events,) = check([spelled(event(chance, features=each)) for each in batch], small)
        assert sum(map(len, events.vocabulary)) <= 3 + 100 + 160
    assert first.vocabulary[0][0] == "first"
    assert "first" not in events.vocabulary[0]


def test_numbers_of_texts_are_computed_once_per_text():
    asked = []
    numbers = PerText(lambda text: asked.append(text) or len(text))
    texts = ["a", "bb"]
    assert numbers(texts).tolist() == [1, 2]
    texts.append("ccc")
    assert numbers(texts).tolist() == [1, 2, 3]
    assert numbers(["bb"]).tolist() == [2]
    assert asked == ["a", "bb", "ccc", "bb"]


def test_features_may_be_named_like_anything():
    names = ["id", "time", "features", "class", "__init__", "f0", "self"]
    odd = EventReader([Field(name, "float", nullable=True) for name in names])
    value = spelled(
        {"id": "x", "time": "2020-01-01T00:00:00Z", "features": dict.fromkeys(names, 1)}
    )
    for _ in range(2):
        assert odd.read([value] * 3).matrix.tolist() == [[1.0] * 7] * 3


def test_events_without_any_feature_are_read():
    bare = EventReader([Field("a", "float", nullable=True)])
    value = b'{"features": { }, "id":"x","time":"2020-01-01T00:00:00Z"}'
    for _ in range(2):
        events = bare.read([value] * 2)
        assert events.texts(events.features) == [b"{ }"] * 2


def test_fields_have_the_bounds_of_the_contract():
    fields = {field.name: field for field in FIELDS}
    assert (fields["seats"].low, fields["seats"].high) == (-(2**53), 2**53)
    assert (fields["age"].low, fields["age"].high) == (-70.5, 70.5)
    assert (fields["wind"].low, fields["wind"].nullable) == (None, True)
    assert [field.name for field in FIELDS] == list(declared().spec.features)


def deaf(each: EventReader) -> None:
    """Leave the reader its compiled code alone."""
    each._general.fill = lambda *_: None


def test_any_escapes_in_an_id_are_read_as_json_reads_them(either, chance):
    features = json.dumps(event(chance)["features"])
    ids = ["".join(chance.choices('\\"aé', k=chance.randint(1, 9))) for _ in range(500)]
    values = [
        f'{{"id":{json.dumps(name)},"time":"2020-01-01T00:00:00Z","features":{features}}}'.encode()
        for name in ids
    ]
    read = either.read(values)
    assert read.accepted.all()
    assert [text.decode() for text in read.texts(read.ids)] == ids
    spelled = [json.loads(b'"%b"' % text) for text in read.texts(read.spelled_ids)]
    assert spelled == ids
