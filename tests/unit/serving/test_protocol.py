"""Tensors to rows: the quick reader and the judge agree, and both keep the contract."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.data import features_type
from services.serving.domain.requests import asked
from services.serving.domain.signature import Signature
from services.serving.domain.straight import StraightReader
from services.serving.domain.tensors import DATATYPES, packed, unpacked
from services.serving.inference.served import features_of
from tests.service.serving.world import declaration

NUMBERS = {
    "seats": {"type": "int", "min": 0, "max": 600},
    "age": {"type": "float", "min": 0.5, "max": 70, "nullable": True},
}
MIXED = {
    **NUMBERS,
    "carrier": {"type": "category", "categories": ["UA", "VX"]},
    "gate": {"type": "category", "nullable": True},
    "jet": {"type": "bool"},
}
ELEMENTS = {
    "seats": st.one_of(st.integers(-5, 700), st.sampled_from([10.0, 10.5, True, "10", None])),
    "age": st.one_of(
        st.floats(-5, 80), st.integers(0, 90), st.sampled_from([None, True, False, "1"])
    ),
    "carrier": st.sampled_from(["UA", "VX", "", "ZZ", 1, None]),
    "gate": st.one_of(st.none(), st.text(max_size=3), st.just("x" * 200), st.just("x" * 201)),
    "jet": st.sampled_from([True, False, 0, 1, None, "true"]),
}
TYPES = {name: st.sampled_from([*DATATYPES, "FP64", "INT64"]) for name in ("seats", "age")} | {
    "carrier": st.just("BYTES"),
    "gate": st.just("BYTES"),
    "jet": st.sampled_from(["BOOL", "INT64"]),
}


def signature(features):
    return Signature(features_of(declaration(features=features)))


class NeverReads(StraightReader):
    def read(self, body):
        return None


def judged(features, body):
    judge = signature(features)
    judge.straight = NeverReads(judge.features)
    return asked(judge, body)


@st.composite
def named(draw):
    return [
        {
            "name": name,
            "datatype": draw(TYPES[name]),
            "shape": draw(st.sampled_from([[1], [1, 1], [1, 1, 1], [], [2]])),
            "data": [draw(ELEMENTS[name])],
        }
        for name in MIXED
    ]


@st.composite
def matrix(draw):
    return [
        {
            "name": draw(st.sampled_from(["x", "age"])),
            "datatype": draw(TYPES["age"]),
            "shape": draw(st.sampled_from([[1, 2], [2, 1], [2]])),
            "data": [draw(ELEMENTS["seats"]), draw(ELEMENTS["age"])],
        }
    ]


def agrees(features, inputs):
    """What the quick reader takes, the judge takes alike, and so does the contract."""
    body = json.dumps({"inputs": inputs}).encode()
    read = StraightReader(signature(features).features).read(body)
    try:
        rows = judged(features, body).rows
    except ValueError:
        assert read is None
        return
    (row,) = rows
    if read is not None:
        assert (
            read[1],
            [type(value) for value in read[1] if not isinstance(value, int | float)],
        ) == (
            row,
            [type(value) for value in row if not isinstance(value, int | float)],
        )
    features_type(declaration(features=features)).model_validate_json(
        json.dumps(dict(zip(features, row, strict=True)))
    )


@given(named())
def test_a_tensor_per_feature_is_read_alike(inputs):
    agrees(MIXED, inputs)


@given(matrix())
def test_one_tensor_is_read_alike(inputs):
    agrees(NUMBERS, inputs)


@given(st.integers(-5, 700), st.one_of(st.none(), st.floats(-5, 80)))
def test_what_the_contract_takes_is_taken(seats, age):
    features = {"seats": seats, "age": age}
    inputs = [
        {"name": "seats", "datatype": "INT64", "shape": [1], "data": [seats]},
        {"name": "age", "datatype": "FP64", "shape": [1], "data": [age]},
    ]
    body = json.dumps({"inputs": inputs}).encode()
    try:
        features_type(declaration(features=NUMBERS)).model_validate_json(json.dumps(features))
    except ValidationError:
        with pytest.raises(ValueError, match="row 0"):
            asked(signature(NUMBERS), body)
    else:
        assert asked(signature(NUMBERS), body).rows == ((seats, age),)
        assert StraightReader(signature(NUMBERS).features).read(body) is not None


@given(st.lists(st.one_of(st.none(), st.floats(0.5, 70)), min_size=1, max_size=20))
def test_rows_come_in_order_nested_flat_and_as_bytes(ages):
    rows = [(number, age) for number, age in enumerate(ages)]
    shape = [len(rows), 2]
    tensor = {"name": "x", "datatype": "FP64", "shape": shape}
    flat = json.dumps({"inputs": [{**tensor, "data": [v for row in rows for v in row]}]})
    nested = json.dumps({"inputs": [{**tensor, "data": rows}]})
    raw = struct.pack(
        f"<{2 * len(rows)}d", *(math.nan if v is None else v for row in rows for v in row)
    )
    binary = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(raw)}}]})
    reading = signature(NUMBERS)
    assert list(asked(reading, flat.encode()).rows) == rows
    assert list(asked(reading, nested.encode()).rows) == rows
    assert list(asked(reading, binary.encode() + raw, len(binary)).rows) == rows


@given(st.lists(st.text()))
def test_texts_survive_as_bytes(texts):
    assert list(unpacked("x", "BYTES", [len(texts)], packed("BYTES", texts))) == texts


@pytest.mark.parametrize(
    ("binary", "raw", "reason"),
    [
        ({"binary_data_size": 17}, b"x" * 16, "binary_data_size 17"),
        ({"binary_data_size": -1}, b"x" * 16, "binary_data_size -1"),
        ({"binary_data_size": 16}, b"x" * 17, "1 bytes after the JSON"),
        ({"binary_data_size": 8}, b"x" * 8, "8 bytes, but shape"),
    ],
)
def test_bytes_that_do_not_fit_are_named(binary, raw, reason):
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 2], "parameters": binary}
    document = json.dumps({"inputs": [tensor]}).encode()
    with pytest.raises(ValueError, match=reason):
        asked(signature(NUMBERS), document + raw, len(document))
