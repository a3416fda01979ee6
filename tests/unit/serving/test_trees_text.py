"""What is left to the library, and what is damaged."""

import re

import lightgbm
import numpy as np
import pytest

from services.serving.domain.trees import Forest, layout
from tests.boosted import KINDS, Kind, trained

REFUSED = {
    "averaged outputs": {
        "objective": "binary",
        "boosting": "rf",
        "bagging_freq": 1,
        "bagging_fraction": 0.5,
    },
    "linear trees": {"objective": "regression", "linear_tree": True},
    "objective 'binary sigmoid:2'": {"objective": "binary", "sigmoid": 2.0},
    "objective 'regression sqrt'": {"objective": "regression", "reg_sqrt": True},
    "objective 'cross_entropy'": {"objective": "cross_entropy"},
    "objective 'multiclassova": {"objective": "multiclassova", "num_class": 3},
    "a tree of 300 leaves, at most 256": {
        "objective": "regression",
        "num_leaves": 300,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 0.0,
    },
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_understood_for_certain_is_refused_by_name(reason):
    kind = Kind(REFUSED[reason], rounds=2)
    text = trained_on_shares(kind) if "cross" in reason else trained(kind)[0].model_to_string()
    with pytest.raises(ValueError, match=re.escape(reason)):
        Forest.of(text)


def trained_on_shares(kind):
    random = np.random.default_rng(1)
    data = lightgbm.Dataset(random.normal(size=(500, 3)), random.random(500))
    settings = {"verbosity": -1, "num_threads": 1, **kind.settings}
    return lightgbm.train(settings, data, kind.rounds).model_to_string()


@pytest.fixture(scope="module")
def text():
    return trained(KINDS["categorical"], rows=1000)[0].model_to_string(num_iteration=3)


DAMAGES = {
    "no LightGBM text": lambda text: text[: len(text) // 2],
    "no LightGBM text ": lambda text: "{}",
    "the text lacks 'left_child'": lambda text: text.replace("left_child=", "left=", 1),
    "nodes that form no tree": lambda text: text.replace("left_child=", "left_child=0 ", 1),
    "the model does not have": lambda text: re.sub(
        r"split_feature=\d+", "split_feature=99", text, count=1
    ),
    "a split of unknown kind": lambda text: re.sub(
        r"decision_type=\d+", "decision_type=12", text, count=1
    ),
    "categories that are not listed": lambda text: re.sub(
        r"decision_type=.*",
        lambda line: re.sub(r"\d+", "1", line.group()),
        text,
        count=1,
    ),
    "values of leaf_value, expected": lambda text: text.replace("leaf_value=", "leaf_value=1 ", 1),
    "invalid literal": lambda text: text.replace("num_leaves=", "num_leaves=x", 1),
    "could not convert": lambda text: text.replace("threshold=", "threshold=x", 1),
    "0 trees": lambda text: text[: text.index("\nTree=0")] + "\nend of trees\n",
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_damaged_texts_are_refused_and_never_walked(reason, text):
    damaged = DAMAGES[reason](text)
    if reason == "nodes that form no tree":
        damaged = re.sub(r"left_child=0 \S+", "left_child=0", damaged, count=1)
    assert damaged != text
    with pytest.raises(ValueError, match=reason.strip()):
        Forest.of(damaged)


def test_tables_that_would_not_be_fast_are_refused(text, monkeypatch):
    monkeypatch.setattr(layout, "MOST_MASKS", 100)
    with pytest.raises(ValueError, match="MB of masks"):
        Forest.of(text)
    monkeypatch.setattr(layout, "MOST_COLUMNS", 2)
    with pytest.raises(ValueError, match="columns of thresholds, at most 2"):
        Forest.of(text)
