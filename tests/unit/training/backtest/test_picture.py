"""The picture of a backtest: readable, the same again."""

import xml.etree.ElementTree as ElementTree

import pytest

from services.training.run.backtest.picture import drawn
from services.training.run.backtest.report import report
from tests.unit.training.backtest.stream import (
    DAY,
    NEVER,
    START,
    columns,
    declaration,
    history,
    replayed,
)

END = START + 14 * DAY


@pytest.fixture(scope="module")
def result():
    stream = history(columns(14, 10))
    return report(stream, [replayed(stream, NEVER, start=START, end=END)], START, END)


def test_the_same_result_gives_the_same_bytes(result):
    assert drawn(result, "svg") == drawn(result, "svg")
    assert drawn(result, "png") == drawn(result, "png")
    assert drawn(result, "png").startswith(b"\x89PNG")


def test_it_says_what_it_shows_and_in_which_unit(result):
    root = ElementTree.fromstring(drawn(result, "svg"))
    said = " ".join("".join(node.itertext()) for node in root.iter() if node.tag.endswith("text"))
    assert "toy: what each retraining policy would have served" in said
    assert "log-loss (nats), lower is better" in said
    assert f"never: {result['policies'][0]['loss']:.4f}" in said
    assert "0 retrains" in said
    assert "never: loss" in said
    assert "event time, UTC" in said


def test_a_stream_without_an_alarm_or_a_model_is_drawn_too():
    declared = declaration(retraining={"min_labels": 100_000})
    stream = history(columns(4, 10), declared)
    end = START + 4 * DAY
    quiet = report(stream, [replayed(stream, NEVER, start=START, end=end)], START, end)
    assert quiet["policies"][0]["runs"] == []
    assert quiet["policies"][0]["loss"] == pytest.approx(quiet["prior"]["loss"])
    assert drawn(quiet, "svg")
