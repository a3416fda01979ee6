"""A small stream with a change of concept, some labels missing and some corrected late."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.declaration import Declaration
from services.training.domain.table import schema
from services.training.ports import Policy
from services.training.run.backtest.candidates import Candidates
from services.training.run.backtest.history import History
from services.training.run.backtest.simulation import Replayed, maturity_of, replay
from services.training.run.dataset import Rows

DAY = 86_400_000_000
HOUR = DAY // 24
START = 15_706 * DAY  # 2013-01-01
PER_DAY = 240
RUN_TIME = timedelta(minutes=10)

OURS, NEVER = Policy(name="ours"), Policy(name="never", trigger="never")
PSI = Policy(name="psi", trigger="psi")
SCHEDULE = Policy(name="schedule", trigger="schedule", retraining={"max_age": "10d"})


def declaration(**spec: Any) -> Declaration:
    """Declare a model of two features."""
    document = {
        "apiVersion": "driftwheel/v1",
        "kind": "Model",
        "metadata": {"name": "toy"},
        "spec": {
            "task": "binary",
            "features": {"x": {"type": "float", "nullable": True}, "place": {"type": "category"}},
            "label": {"name": "y", "horizon": "24h"},
            "slices": ["place"],
            "cost": {"false_negative": 3, "false_positive": 1},
            "retraining": {"min_labels": 1500, "max_age": "56d", "cooldown": "3d"},
            "gates": {"slice_rows": 100},
            **spec,
        },
    }
    return Declaration.model_validate_json(json.dumps(document))


def columns(days: int = 40, change: int = 25, seed: int = 0) -> dict[str, np.ndarray]:
    """Draw a stream.

    From day `change` on the label follows x the other way round,
    and places are others.
    """
    rng = np.random.default_rng(seed)
    n = days * PER_DAY
    times = START + np.arange(n) * (DAY // PER_DAY)
    before = times < START + change * DAY
    x, place = rng.normal(size=n), np.where(rng.random(n) < 0.5 + 0.3 * ~before, "there", "here")
    label = np.where(before, 2.0, -2.0) * x + (place == "there") + rng.logistic(size=n) > 0
    delays = rng.integers(HOUR, 20 * HOUR, size=n)
    corrected = rng.random(n) < 0.03
    delays[corrected] = rng.integers(30 * HOUR, 72 * HOUR, size=corrected.sum())
    return {
        "time": times,
        "label_time": times + delays,
        "label": label,
        "missing": rng.random(n) < 0.03,
        "x": x,
        "place": place,
    }


def history(drawn: dict[str, np.ndarray], declared: Declaration | None = None) -> History:
    """Make the history of a stream, without a table."""
    declared = declared or declaration()
    n, missing = len(drawn["time"]), drawn["missing"]
    wanted = schema("binary", {"x": "float", "place": "category"})
    made = {
        "id": pa.array([f"e{number}" for number in range(n)]),
        "time": pa.array(drawn["time"]),
        "label_time": pa.array(drawn["label_time"], mask=missing),
        "label": pa.array(drawn["label"], mask=missing),
        "partition": pa.array(np.zeros(n, np.int32)),
        "offset": pa.array(np.arange(n)),
        "version": pa.array(["0.0.0"] * n),
        "status": pa.array(np.where(missing, "unlabelled", "labelled").tolist()),
        "score": pa.array(np.full(n, 0.5)),
        "decision": pa.nulls(n),
        "loss": pa.nulls(n),
        "f_x": pa.array(drawn["x"]),
        "f_place": pa.array(drawn["place"].tolist()),
    }
    table = pa.table({field.name: made[field.name].cast(field.type) for field in wanted})
    rows = Rows(declared, table)
    filled = rows.labelled() if declared.spec.label.missing == "negative" else rows
    return History(filled, maturity_of(declared))


def replayed(stream: History, policy: Policy, *, start: int, end: int) -> Replayed:
    """Carry a policy through a stream."""
    candidates = Candidates(stream, 1, lambda _: None)
    return replay(
        stream,
        candidates,
        policy,
        start=start,
        end=end,
        run_time=RUN_TIME,
        advance=lambda _: None,
    )
