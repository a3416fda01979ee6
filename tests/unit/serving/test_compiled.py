"""A model is compiled, or the library keeps scoring it and a metric says so."""

import json
from functools import partial

import numpy as np
import pytest

from services.serving.adapters import machine
from services.serving.adapters.compiled import Compiler, InBlocks, RowByRow
from services.serving.adapters.machine import Machine
from shared.models import load
from tests.boosted import KINDS, trained
from tests.doubles import telemetry

MACHINE = Machine()


@pytest.fixture
def model():
    booster, matrix = trained(KINDS["missing"])
    names = [f"f{n}" for n in range(matrix.shape[1])]
    document = {"algorithm": "lightgbm", "columns": {"names": names, "codes": {}}}
    text = booster.model_to_string().encode()
    return load({"model.json": json.dumps(document).encode(), "model.txt": text})


class Heard:
    """Telemetry that remembers why the library was fallen back to."""

    def __init__(self):
        self.log, self.why = telemetry("serving").log, []

    def count(self, name, what, by=1):
        assert name == "scorer_fallback"
        self.why.append(what)


@pytest.mark.parametrize("way", [InBlocks, partial(RowByRow, code=MACHINE.code)])
def test_a_compiled_model_scores_alike_many_rows_and_one(model, way):
    heard = Heard()
    compiled = Compiler(heard, way)(model)
    assert compiled is not model
    assert heard.why == []
    rows = np.random.default_rng(0).normal(size=(50, len(model.columns.names)))
    np.testing.assert_array_equal(compiled.scores(rows), model.scores(rows))
    assert [compiled.score_one(row) for row in rows.tolist()] == model.scores(rows).tolist()


def test_where_no_code_can_be_made_the_library_scores(model, monkeypatch):
    monkeypatch.setattr(machine, "CHILD", "services.serving.nothing")
    heard = Heard()
    assert Compiler(heard, partial(RowByRow, code=Machine().code))(model) is model
    assert heard.why == ["refused"]


def test_a_child_that_fails_is_quoted(monkeypatch):
    monkeypatch.setattr(machine, "CHILD", "services.serving.nothing")
    with pytest.raises(ValueError, match=r"No module named services\.serving\.nothing"):
        Machine().code()


def test_code_that_answers_otherwise_is_not_used(model):
    def wrong(*_):
        return None

    heard = Heard()
    assert Compiler(heard, partial(RowByRow, code=lambda: wrong))(model) is model
    assert heard.why == ["disagrees"]
