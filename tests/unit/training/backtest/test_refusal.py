"""The backtest judges candidates as the registry does, which keeps its rule for itself."""

import json
from collections import Counter

import numpy as np

from contracts.training import Evaluation
from services.registry.domain import facts
from services.registry.domain.gate import Rules, judged
from services.training.run.backtest.candidates import refusal
from tests.unit.training.backtest.stream import declaration


def evidence(rng):
    """Draw the evidence about a candidate."""
    loss = float(rng.uniform(0.3, 0.6))

    def interval():
        middle, half = rng.normal(scale=0.05), abs(rng.normal(scale=0.03))
        low, high = middle - half, middle + half
        return {"mean": middle, "low": low, "high": high, "confidence": 0.95}

    parts = [("here", int(rng.integers(30, 300))), ("there", int(rng.integers(30, 120)))]
    slices = [
        {
            "feature": "place",
            "value": value,
            "rows": rows,
            "candidate_loss": loss,
            "champion_loss": 0.5,
            "difference": interval(),
        }
        for value, rows in parts
    ]
    return {
        "metric": "log_loss",
        "rows": sum(rows for _, rows in parts),
        "candidate_loss": loss,
        "champion_version": "0.0.1",
        "champion_loss": 0.5,
        "prior_loss": 0.55,
        "difference": interval(),
        "slices": slices,
        "start": "2013-01-01T00:00:00Z",
        "end": "2013-01-02T00:00:00Z",
        "digest": "e" * 64,
        "predicted": 0.5,
        "observed": 0.5,
        "loss_sd": 0.1,
    }


def theirs(drawn, ours):
    """Make of the evidence what the registry has recorded."""
    parts = [
        facts.Slice(**one | {"difference": facts.Interval(**one["difference"])})
        for one in drawn["slices"]
    ]
    evaluation = facts.Evaluation(
        **drawn
        | {
            "start": ours.start,
            "end": ours.end,
            "difference": facts.Interval(**drawn["difference"]),
        }
        | {"slices": tuple(parts)}
    )
    version = facts.VersionRef("0.0.2", "linear")
    return facts.Registered(version, "run", "d" * 64, 1000, evaluation)


def test_candidates_are_refused_as_the_registry_refuses_them():
    declared, agreed = declaration(), Counter()
    rules = Rules.of("d" * 64, declared.model_dump(mode="json"))
    rng = np.random.default_rng(1)
    for _ in range(400):
        drawn = evidence(rng)
        ours = Evaluation.model_validate_json(json.dumps(drawn))
        refused = refusal(ours, declared.spec.gates)
        gated = judged(theirs(drawn, ours), "0.0.1", rules)
        assert (refused is None) == gated.passed, (refused, gated)
        failed = [check.name.split()[0] for check in gated.checks if not check.passed]
        agreed.update(failed or ["passed"])
    assert min(agreed[name] for name in ("rows", "prior", "superiority", "slice", "passed")) > 5
