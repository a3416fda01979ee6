"""What `driftwheel drift show` prints of a window."""

import json
from pathlib import Path

import pytest

from driftwheel.cli.latest import MOST_FEATURES, tell

EXAMPLES = Path(__file__).parents[3] / "contracts/examples/drift.measured.v1"


@pytest.fixture
def measured():
    (path, *_) = sorted(EXAMPLES.glob("*.json"))
    return json.loads(path.read_text())


def test_detectors_stand_by_evidence_and_features_by_how_far_they_moved(measured, capsys):
    tell(measured)
    lines = capsys.readouterr().out.splitlines()
    detectors = [line.split()[0] for line in lines[4 : 4 + len(measured["evidence"])]]
    assert detectors == sorted(measured["evidence"], key=lambda name: -measured["evidence"][name])
    (first,) = [line for line in lines if line.startswith("inputs")]
    assert first.split() == ["inputs", "1.18e+04", "148.0%"]
    psi = [line for line in lines if line.split()[:1] in (["carrier"], ["plane_age"], ["score"])]
    assert [line.split()[0] for line in psi] == ["carrier", "score", "plane_age"]


def test_an_estimate_that_means_nothing_says_why(measured, capsys):
    reasons = ["2 % of the rows lie beyond what the reference saw"]
    tell(measured | {"estimate": {"loss": 0.3, "valid": False, "reasons": reasons}})
    assert f"0.3000, NOT to be trusted: {reasons[0]}" in capsys.readouterr().out
    tell(measured | {"estimate": {"loss": None, "valid": False, "reasons": reasons}})
    assert "an estimate: none, NOT" in capsys.readouterr().out


def test_of_very_many_features_the_furthest_are_shown(measured, capsys):
    shown = {"psi": 0.1, "js": 0.01, "missing": 0.0, "unseen": 0.0}
    features = {f"f{n}": shown | {"psi": n / 100} for n in range(MOST_FEATURES + 5)}
    tell(measured | {"features": features})
    out = capsys.readouterr().out
    assert "... and 5 more" in out
    assert f"f{MOST_FEATURES + 4} " in out
    assert "f4 " not in out
