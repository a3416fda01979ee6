"""What a run brings beside its model: the baseline, built from rows that the model has not seen."""

import json

import numpy as np
import pytest

from services.training.run import baseline as building
from services.training.run.training import train
from shared.artifacts import Artifacts
from shared.drift.baseline import Baseline
from tests.service.training.world import DAY, START, declaration, job_of, outcomes

TASKS = {"binary": {}, "regression": {}, "multiclass": {"classes": ["low", "mid", "high"]}}


def run(job, threads=1):
    return train(job, threads=threads, report=lambda _: None)


def baseline_of(job, result):
    return Baseline.from_bytes(Artifacts(job.artifacts).get(result.baseline)["baseline.json"])


@pytest.mark.parametrize("task", TASKS)
async def test_it_is_measured_on_the_rows_that_the_gate_sees(tmp_path, task):
    job = await job_of(tmp_path, outcomes(task, 3000), declaration(task, **TASKS[task]))
    result = run(job)
    built = baseline_of(job, result)
    assert built.n == result.evaluation.rows == 701
    assert (built.task, built.promise, built.window_us) == (task, 1000, DAY.total_seconds() * 1e6)
    mean = np.dot(built.losses.values, built.losses.counts) / built.n
    assert mean == pytest.approx(result.evaluation.candidate_loss, rel=0.01)
    assert [one.name for one in built.features] == ["x", "n", "place", "open"]
    weights = {one.name: one.importance for one in built.features}
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["x"] > weights["place"] > weights["open"] == 0


async def test_the_same_job_gives_the_same_bytes_and_another_others(tmp_path):
    job = await job_of(tmp_path, outcomes("binary", 2000), declaration())
    first, again = run(job), run(job, threads=2)
    assert first.baseline == again.baseline
    other = run(job.model_copy(update={"until": job.until - DAY}))
    assert other.baseline not in (None, first.baseline)


async def test_it_knows_how_many_labels_come_and_when(tmp_path):
    rows = outcomes("binary", 2000)
    for row in rows[::4]:
        row |= {"label": None, "label_time": None, "status": "unlabelled"}
    job = await job_of(tmp_path, rows, declaration())
    result = run(job)
    built = baseline_of(job, result)
    assert built.arrived == pytest.approx(0.75)
    assert set(built.delays_us) == {4 * 3_600_000_000}
    assert result.dataset.rows == 1500


async def test_no_baseline_is_no_failure_and_the_reason_is_told(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("too few windows")

    monkeypatch.setattr(building, "fit", refuse)
    result = run(await job_of(tmp_path, outcomes("binary", 600), declaration()))
    assert result.baseline is None
    assert result.remark == "no baseline: too few windows"
    assert result.artifact


async def test_spoilt_days_are_neither_learned_from_nor_part_of_the_baseline(tmp_path):
    rows = outcomes("binary", 2000)
    for row in rows[500:600]:
        row["features"] = {**row["features"], "place": "nowhere"}
    job = await job_of(tmp_path, rows, declaration())
    spoilt = {"start": (START + 5 * DAY).isoformat(), "end": (START + 6 * DAY).isoformat()}
    left_out = type(job).model_validate_json(
        json.dumps({**json.loads(job.model_dump_json()), "excluded": [spoilt]})
    )
    with_all, without = run(job), run(left_out)
    assert (with_all.dataset.rows, without.dataset.rows) == (2000, 1900)
    known = [
        b"nowhere" in Artifacts(job.artifacts).get(result.baseline)["baseline.json"]
        for result in (with_all, without)
    ]
    assert known == [True, False]


def flipped(rows, start):
    """Turn the concept over from row `start` on; the features stay as they are."""
    return [
        row if number < start else {**row, "label": not row["label"]}
        for number, row in enumerate(rows)
    ]


async def test_after_a_change_of_concept_a_run_learns_from_the_new_rows_alone(tmp_path):
    rows = flipped(outcomes("binary", 4000), 3200)
    job = await job_of(tmp_path, rows, declaration())
    blind, told = run(job), run(job.model_copy(update={"since": START + 32 * DAY}))
    picked = min(told.trials, key=lambda trial: trial.loss)
    assert picked.name in ("linear, changed rows", "lightgbm, changed rows")
    assert told.evaluation.start >= START + 32 * DAY
    assert told.evaluation.candidate_loss < 0.6 < blind.evaluation.candidate_loss
    assert told.evaluation.rows >= 250


async def test_after_a_change_of_inputs_alone_old_rows_are_still_right(tmp_path):
    rows = outcomes("binary", 4000)
    kept = [
        row
        for number, row in enumerate(rows)
        if number < 3200 or row["features"]["place"] == "here"
    ]
    job = await job_of(tmp_path, kept, declaration(), since=START + 32 * DAY)
    result = run(job)
    names = [trial.name for trial in result.trials]
    assert "linear, changed rows" in names
    best = min(trial.loss for trial in result.trials)
    old_and_new = next(trial.loss for trial in result.trials if trial.name == "linear, all rows")
    assert old_and_new == pytest.approx(best, abs=0.02)
