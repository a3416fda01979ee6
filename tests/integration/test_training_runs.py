"""Real runs in real child processes: every task, the same bytes again, every end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.registry import VersionRef
from contracts.training import MODEL_TRAINED
from services.training.adapters.child import ChildLauncher
from services.training.ports import Job, RunFailed
from shared.artifacts import Artifacts
from shared.models import load
from tests.doubles import telemetry
from tests.polling import until
from tests.service.training.world import DAY, START, World, declaration, outcomes
from tests.service.training.world import job_of as world_job

CLASSES = {"classes": ["low", "mid", "high"]}


async def job_of(folder: Path, task: str, count: int = 1500, **spec) -> Job:
    """Fill a store with outcomes of a task and make a job of it."""
    declared = declaration(task, **(CLASSES if task == "multiclass" else {}), **spec)
    return await world_job(folder, outcomes(task, count), declared)


def launcher(folder: Path, timeout_s: float = 120.0) -> ChildLauncher:
    return ChildLauncher(telemetry("training"), folder / "runs", timeout_s)


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
async def test_a_run_beats_the_prior_and_serving_opens_what_it_brings(tmp_path, task):
    job = await job_of(tmp_path, task)
    brought = await launcher(tmp_path).run(job)
    measured = brought.evaluation
    assert brought.dataset.rows == 1500
    assert {trial.name.split(",")[0] for trial in brought.trials} == {"prior", "linear", "lightgbm"}
    assert measured.candidate_loss < 0.8 * measured.prior_loss
    assert measured.difference.low <= measured.difference.mean <= measured.difference.high < 0
    assert measured.champion_loss == pytest.approx(measured.prior_loss)
    assert {part.feature for part in measured.slices} == {"place", "open"}
    assert sum(part.rows for part in measured.slices if part.feature == "open") == measured.rows
    files = Artifacts(job.artifacts).get(brought.artifact)
    assert {"model.json", "manifest.json"} <= files.keys()
    scores = load(files).score([{"x": 1.0, "n": 1, "place": "new", "open": True}, {}])
    assert scores.shape == ((2, 3) if task == "multiclass" else (2,))


def bytes_of(job: Job, folder: Path, threads: int) -> str:
    """Carry out a run by hand; its artifact."""
    folder.mkdir()
    (folder / "job.json").write_text(job.model_dump_json())
    command = [sys.executable, "-m", "services.training.run", str(folder / "job.json")]
    subprocess.run([*command, "--threads", str(threads)], check=True, timeout=120)
    return str(json.loads((folder / "result.json").read_text())["artifact"])


async def test_the_same_rows_give_the_same_bytes_on_any_number_of_threads(tmp_path):
    job = await job_of(tmp_path, "binary", 3000)
    digests = {bytes_of(job, tmp_path / f"{n}", threads) for n, threads in enumerate([1, 1, 2])}
    assert len(digests) == 1
    other = job.model_copy(update={"until": job.until - DAY})
    assert bytes_of(other, tmp_path / "other", 1) not in digests


@pytest.mark.parametrize("algorithm", ["prior", "linear", "lightgbm"])
async def test_every_algorithm_is_reproducible_and_readable(tmp_path, algorithm, monkeypatch):
    from services.training.domain.split import split
    from services.training.run import search as searching
    from services.training.run.dataset import read

    job = await job_of(tmp_path, "binary", 1200)
    rows = read(job.uri, job.version, job.declaration).labelled()
    parts = split(rows.times, rows.label_times, 50)
    chosen = tuple(recipe for recipe in searching.RECIPES if recipe.algorithm == algorithm)
    monkeypatch.setattr(searching, "RECIPES", chosen)
    found = [
        searching.search(
            rows.take(parts.fit),
            rows.take(parts.selection),
            rows.take(parts.learnable),
            threads=threads,
            report=lambda _: None,
        )
        for threads in (1, 2)
    ]
    assert found[0].files == found[1].files
    assert load(found[0].files).algorithm == algorithm


async def test_the_champion_is_measured_by_its_own_artifact(tmp_path):
    job = await job_of(tmp_path, "regression")
    first = await launcher(tmp_path).run(job)
    champion = VersionRef(
        version="0.0.1",
        algorithm="x",
        artifact=first.artifact,
        trained_at=START,
        loss=None,
        loss_sd=None,
    )
    again = await launcher(tmp_path).run(
        job.model_copy(update={"run_id": "r2", "champion": champion})
    )
    assert again.evaluation.champion_version == "0.0.1"
    assert again.evaluation.champion_loss == pytest.approx(again.evaluation.candidate_loss)
    assert again.evaluation.difference.mean == pytest.approx(0)


async def test_a_run_with_too_few_rows_says_so(tmp_path):
    job = await job_of(tmp_path, "binary", 300)
    early = job.model_copy(update={"until": START})
    with pytest.raises(RunFailed, match="1 labelled rows are too few"):
        await launcher(tmp_path).run(early)


async def test_one_class_only_still_ends_with_a_candidate(tmp_path):
    rows = [{**row, "label": False} for row in outcomes("binary", 500)]
    brought = await launcher(tmp_path).run(await world_job(tmp_path, rows, declaration()))
    assert brought.evaluation.candidate_loss < 0.05


async def test_a_run_that_takes_too_long_is_ended(tmp_path):
    job = await job_of(tmp_path, "binary", 300)
    with pytest.raises(RunFailed, match="took longer than"):
        await launcher(tmp_path, timeout_s=0.05).run(job)


async def test_a_killed_run_begins_again_and_a_finished_one_does_not(tmp_path):
    job = await job_of(tmp_path, "binary", 600)
    interrupted = asyncio.create_task(launcher(tmp_path).run(job))
    written = tmp_path / "runs" / "r1" / "job.json"
    await until(written.exists)
    interrupted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await interrupted
    brought = await launcher(tmp_path).run(job)
    other = job.model_copy(update={"until": START})
    assert await launcher(tmp_path).run(other) == brought


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_a_run_dies_with_its_service(tmp_path):
    job = asyncio.run(job_of(tmp_path, "binary", 600))
    (tmp_path / "job.json").write_text(job.model_dump_json())
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(tmp_path / "job.json")], stdout=subprocess.PIPE
    )
    with service:
        assert service.stdout is not None
        status = os.pidfd_open(int(service.stdout.readline()))
        service.send_signal(signal.SIGKILL)
    assert_ends(status)
    assert not (tmp_path / "result.json").exists()


SERVICE = """
import os, subprocess, sys
command = [sys.executable, "-m", "services.training.run", sys.argv[1], "--parent", str(os.getpid())]
child = subprocess.Popen(command, stdout=subprocess.PIPE)
child.stdout.readline()  # it is at work
print(child.pid, flush=True)
child.wait()
"""


def assert_ends(pidfd: int) -> None:
    """Wait for the end of a process."""
    import select

    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)


async def test_the_service_brings_a_model_from_its_first_outcomes(tmp_path):
    world = World(tmp_path)
    world.launcher = launcher(tmp_path)
    world.restart()
    await world.hear(outcomes("binary", 1200))
    (trained,) = world.kafka.events(MODEL_TRAINED)
    assert trained.status == "trained", trained.reason
    assert Artifacts(tmp_path / "artifacts").get(trained.artifact)
    assert "pinned rows" in trained.reason


async def test_looking_back_measures_once_trained_prior_and_served(tmp_path):
    job = await job_of(tmp_path, "binary", 2000)
    question = {
        "declaration": job.declaration.model_dump(mode="json"),
        "rows": {"uri": job.uri, "version": job.version},
        "train_before": (START + 10 * DAY).isoformat(),
        "score_from": (START + 10 * DAY).isoformat(),
        "score_until": (START + 15 * DAY).isoformat(),
        "out": str(tmp_path / "answer.json"),
    }
    (tmp_path / "question.json").write_text(json.dumps(question))
    command = [sys.executable, "-m", "services.training.run", str(tmp_path / "question.json")]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=120)
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["rows"] == 500
    assert answer["trained_rows"] < 1000
    assert answer["log_loss"] < 0.8 * answer["prior"]["log_loss"]
    assert answer["served"]["log_loss"] == pytest.approx(0.6931, abs=1e-3)
    assert answer["cost"] < answer["served"]["cost"]
