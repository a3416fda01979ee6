"""The declaration fits the stream, but for the few records that are natural dirt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import examples.flights
from examples.source import Column
from examples.stream import Rows

DECLARATION = Path(examples.flights.__file__).parent / "declaration.yaml"
KINDS = {"int": "i", "float": "f", "category": "U"}


def spec() -> dict[str, Any]:
    return yaml.safe_load(DECLARATION.read_text(encoding="utf-8"))["spec"]


def outside(column: Column, feature: Mapping[str, Any]) -> np.ndarray:
    values, missing = np.ma.getdata(column), np.ma.getmaskarray(column)
    if feature["type"] == "category":
        closed = feature.get("categories")
        return np.zeros(len(values), bool) if closed is None else ~np.isin(values, closed)
    bad = (values < feature["min"]) | (values > feature["max"])
    return np.where(missing, not feature.get("nullable", False), bad)


def test_the_declared_features_are_the_streamed_ones(rows: Rows):
    features = spec()["features"]
    assert list(features) == list(rows.features)
    assert len(features) == 22
    for name, column in rows.features.items():
        assert column.dtype.kind == KINDS[features[name]["type"]], name


def test_three_records_of_the_year_are_natural_dirt(rows: Rows):
    rejected = {
        name: rows.ids(np.flatnonzero(outside(rows.features[name], feature)))
        for name, feature in spec()["features"].items()
    }
    assert {name: ids for name, ids in rejected.items() if ids} == {
        "distance": ["2013-07-27/US/1632/EWR"],
        "wind_speed": ["2013-02-12/US/1117/EWR", "2013-02-12/UA/1018/EWR"],
    }


def test_the_slices_are_features_and_the_prior_is_near_the_rate(rows: Rows):
    declared = spec()
    assert set(declared["slices"]) <= set(declared["features"])
    assert abs(declared["prior"] - rows.label.mean()) < 0.02
