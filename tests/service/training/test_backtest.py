"""A backtest of every task over a table that the service has written."""

import asyncio
import json

import pytest

from services.training.ports import POLICIES, Question
from services.training.run.backtest.__main__ import Progress, answer, stream
from tests.service.training.world import DAY, MODEL, START, World, declaration, outcomes

CLASSES = {"classes": ["low", "mid", "high"]}
RULES = {"min_labels": 400, "cooldown": "5d", "max_age": "10d"}


def question(folder, task, **fields):
    """Let the service keep outcomes, and ask about them."""
    declared = declaration(task, retraining=RULES, **(CLASSES if task == "multiclass" else {}))
    world = World(folder, declared)
    asyncio.run(world.hear(outcomes(task, 1800)))
    return Question(declaration=declared, uri=world.store.uri(MODEL), **fields)


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_every_task_is_replayed_and_drawn(tmp_path, capsys, task):
    policies = tuple(one for one in POLICIES if one.trigger in ("declared", "psi"))
    asked = question(tmp_path, task, policies=policies, picture="svg")
    result = answer(asked, Progress(len(policies)), 1)
    for policy in result["policies"]:
        assert policy["runs"][0]["result"] == "promoted"
        assert policy["loss"] < 0.9 * result["prior"]["loss"]
        assert (policy["cost"] is None) == (task != "binary")
        assert sum(window["rows"] for window in policy["windows"]) == 1800
    json.dumps(result, allow_nan=False)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    shares = [line["done"] for line in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.9 < shares[-1] <= 1


def test_what_lies_before_the_span_is_known_and_what_lies_after_is_not(tmp_path):
    asked = question(tmp_path, "binary", start=START + 8 * DAY, end=START + 12 * DAY)
    history, start, end = stream(asked)
    assert (len(history.times), end - start) == (1200, 4 * DAY // (DAY / 86_400_000_000))
    (never,) = answer(asked.model_copy(update={"policies": POLICIES[:1]}), Progress(1), 1)[
        "policies"
    ]
    first = never["runs"][0]
    # Older than horizon and lateness at the beginning: 6 days and 11.5 hours of 100 events each.
    assert first["decided"] == "2013-01-09T00:00:00Z"
    assert first["labels"] == 648
