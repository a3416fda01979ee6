"""Numbers follow from contracts, and declarations may only grow."""

import pytest

from services.registry.domain.declarations import breaking_changes, same_contract
from services.registry.domain.versions import next_version
from tests.service.registry.house import declaration


def spec(**changes):
    return declaration(**changes).model_dump(mode="json")


FEATURES = spec()["spec"]["features"]


def with_feature(name, **changes):
    return {"features": {**FEATURES, name: {**FEATURES.get(name, {}), **changes}}}


@pytest.mark.parametrize(
    ("registered", "same", "expected"),
    [
        ([], True, "0.0.1"),
        ([], False, "0.1.0"),
        (["0.0.9", "0.0.10"], True, "0.0.11"),
        (["0.0.9", "0.2.0", "0.1.7"], True, "0.2.1"),
        (["0.2.1"], False, "0.3.0"),
    ],
)
def test_the_next_version(registered, same, expected):
    assert next_version(registered, same_contract=same) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"gates": {"confidence": 0.99}},
        {"retraining": {"cooldown": "1d"}},
        {"cost": {"false_negative": 3, "false_positive": 1}},
        {"slices": ["origin"]},
        {"drift": {"window": "2d"}},
        {"metric": "brier"},
        {"label": {"name": "late", "horizon": "48h", "lateness": "2h"}},
        with_feature("seats", max=900),
        with_feature("seats", nullable=True),
        with_feature("seats", unit="seats"),
        with_feature("origin", categories=["EWR", "JFK", "LGA"]),
        with_feature("age", type="float", nullable=True),
    ],
)
def test_what_may_change(changes):
    assert breaking_changes(spec(), spec(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prior": 0.3}, "spec.prior"),
        ({"label": {"name": "delayed", "horizon": "36h"}}, "spec.label.name"),
        (
            {"label": {"name": "late", "horizon": "36h", "missing": "negative"}},
            "spec.label.missing",
        ),
        ({"task": "regression"}, "spec.task"),
        ({"features": {"origin": FEATURES["origin"]}}, "spec.features.seats is removed"),
        (with_feature("seats", type="float"), "spec.features.seats.type"),
        (with_feature("age", type="float"), "spec.features.age is new"),
    ],
)
def test_what_may_not(changes, field):
    assert any(field in change for change in breaking_changes(spec(), spec(**changes)))


def test_taking_nulls_or_units_away_breaks():
    loose = spec(**with_feature("seats", nullable=True, unit="seats"))
    told = breaking_changes(loose, spec())
    assert [change.split(" ")[0] for change in told] == [
        "spec.features.seats.nullable",
        "spec.features.seats.unit",
    ]


def test_the_contract_of_a_version_is_features_label_and_metric():
    assert same_contract(spec(), spec(retraining={"cooldown": "1d"}))
    assert not same_contract(spec(), spec(metric="brier"))
    assert not same_contract(spec(), spec(**with_feature("age", type="float", nullable=True)))
