"""One run: pinned rows in, model files and their evaluation out."""

from __future__ import annotations

import time

from contracts.training import Dataset
from services.training.domain.split import split
from services.training.ports import Job, Result
from services.training.run.dataset import Rows, read
from services.training.run.evaluation import evaluate, moment
from services.training.run.manifest import manifest
from services.training.run.search import Report, search
from shared.artifacts import Artifacts
from shared.models import Model, Prior, load


def train(job: Job, *, threads: int, report: Report) -> Result:
    """Carry out a run; the artifact depends on the job and the pinned rows alone.

    Raises:
        ValueError: the rows do not suffice.

    """
    started = time.monotonic()
    artifacts = Artifacts(job.artifacts)
    rows = read(job.uri, job.version, job.declaration, until=job.until)
    if not len(rows):
        raise ValueError(
            f"version {job.version} of the table has no labelled row until {job.until}"
        )
    dataset = _described(job, rows)
    report({"dataset": dataset.digest, "rows": dataset.rows})
    parts = split(rows.times, rows.label_times, job.declaration.spec.gates.slice_rows)
    learnable = rows.take(parts.learnable)
    found = search(
        rows.take(parts.fit), rows.take(parts.selection), learnable, threads=threads, report=report
    )
    evaluation = evaluate(
        rows.take(parts.test),
        load(found.files),
        _champion(job, artifacts),
        job.champion.version,
        seed=int(dataset.digest[:16], 16),
    )
    about = manifest(job, dataset, found.rows, found)
    return Result(
        artifact=artifacts.put({**found.files, "manifest.json": about}),
        algorithm=found.recipe.algorithm,
        dataset=dataset,
        trials=found.trials,
        evaluation=evaluation,
        seconds=round(time.monotonic() - started, 3),
    )


def _described(job: Job, rows: Rows) -> Dataset:
    return Dataset(
        uri=job.uri,
        version=job.version,
        rows=len(rows),
        start=moment(rows.times[0]),
        end=moment(rows.times[-1]),
        digest=rows.digest(),
    )


def _champion(job: Job, artifacts: Artifacts) -> Model:
    if job.champion.artifact is None:
        assert job.declaration.spec.prior is not None
        return Prior(job.declaration.spec.prior)
    return load(artifacts.get(job.champion.artifact))
