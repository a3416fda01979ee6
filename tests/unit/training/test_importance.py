import numpy as np
import pyarrow as pa
import pytest

from services.training.domain.table import schema
from services.training.run.dataset import Rows
from services.training.run.importance import importance
from services.training.run.trainers import BoostedTrainer
from shared.columns import Columns
from shared.models import Linear, Prior, load
from tests.service.training.world import START, declaration


def rows(number, declared=None, **features):
    """Make rows of the toy model; label is what x says."""
    declared = declared or declaration("regression")
    spec = declared.spec
    columns = schema(spec.task, {name: feature.type for name, feature in spec.features.items()})
    values = {
        "id": [str(n) for n in range(number)],
        "time": [START] * number,
        **{f"f_{name}": list(column) for name, column in features.items()},
    }
    arrays = [pa.array(values.get(field.name, [None] * number), field.type) for field in columns]
    return Rows(declared, pa.table(arrays, schema=columns))


def test_a_constant_is_moved_by_nothing():
    held_out = rows(4, x=[1.0, 2, 3, 4], n=[1, 1, 1, 1], place=["a"] * 4, open=[True] * 4)
    assert set(importance(Prior(0.3), held_out).values()) == {0.0}


def test_a_linear_model_by_hand():
    # x: weight -3 on a z-score of sd 1; n: 1 on sd 1, and a weight on "missing" that never varies;
    # place: indicators 0, 1, 0, 1, each of sd .5 and weight 2 and 2; open never varies.
    held_out = rows(
        4, x=[-1.0, -1, 1, 1], n=[-2, 2, -2, 2], place=["a", "b", "a", "b"], open=[True] * 4
    )
    design = [{"mean": 0, "sd": 1}, {"mean": 0, "sd": 2}, {"codes": 2}, {"mean": 0, "sd": 1}]
    weights = np.array([9.0, -3, 7, 1, 7, 2, 2, 5, 0])
    columns = Columns(("x", "n", "place", "open"), {"place": {"a": 0, "b": 1}})
    model = Linear(columns, "regression", weights, design)
    assert importance(model, held_out) == pytest.approx(
        {"x": 3 / 6, "n": 1 / 6, "place": 2 / 6, "open": 0}
    )


def test_shares_below_three_percent_count_as_nothing():
    held_out = rows(4, x=[-1.0, -1, 1, 1], n=[-1, 1, -1, 1], place=["a"] * 4, open=[True] * 4)
    columns = Columns(("x", "n"), {})
    design = [{"mean": 0, "sd": 1}] * 2
    small = Linear(columns, "regression", np.array([0, 97.1, 0, 2.9, 0]), design)
    assert importance(small, held_out) == {"x": 1, "n": 0, "place": 0, "open": 0}
    large = Linear(columns, "regression", np.array([0, 96.9, 0, 3.1, 0]), design)
    assert importance(large, held_out) == pytest.approx(
        {"x": 0.969, "n": 0.031, "place": 0, "open": 0}
    )


def test_trees_are_weighed_by_what_they_do_with_a_feature():
    rng = np.random.default_rng(0)
    x, n = rng.normal(size=2000), rng.integers(0, 9, 2000)
    held_out = rows(2000, x=x, n=n, place=["a"] * 2000, open=[True] * 2000)
    index = held_out.table.column_names.index("label")
    labels = pa.array(3 * x + 0.5 * n)
    learned = Rows(held_out.declaration, held_out.table.set_column(index, "label", labels))
    model = load(BoostedTrainer(1).fit(learned, None, 60).files)
    shares = importance(model, held_out)
    # Mean |effect|: 3 E|x| = 2.39 against .5 E|n - 4| = 1.11.
    assert shares["x"] == pytest.approx(2.39 / 3.50, abs=0.05)
    assert (shares["place"], shares["open"], sum(shares.values())) == (0, 0, pytest.approx(1))
