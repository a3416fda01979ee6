"""One run: pinned rows in, model files and their evaluation out."""

from __future__ import annotations

import time

from contracts.training import Dataset
from services.training.domain.split import split
from services.training.ports import Job, Result
from services.training.run.baseline import build
from services.training.run.dataset import Rows, microseconds, read
from services.training.run.evaluation import evaluate, moment
from services.training.run.manifest import manifest
from services.training.run.search import Found, Report, search
from shared.artifacts import Artifacts
from shared.models import Model, Prior, load


def train(job: Job, *, threads: int, report: Report) -> Result:
    """Carry out a run; the artifact depends on the job and the pinned rows alone.

    Raises:
        ValueError: the rows do not suffice.

    """
    started, artifacts = time.monotonic(), Artifacts(job.artifacts)
    events = _events(job)
    rows = events.labelled()
    if not len(rows):
        raise ValueError(
            f"version {job.version} of the table has no labelled row until {job.until}"
        )
    dataset = _described(job, rows)
    report({"dataset": dataset.digest, "rows": dataset.rows})
    found, test = _found(job, rows, threads, report)
    candidate, seed = load(found.files), int(dataset.digest[:16], 16)
    champion = _champion(job, artifacts)
    evaluation = evaluate(test, candidate, champion, job.champion.version, seed)
    built = build(candidate, test, events, seed)
    report({"baseline": built.document is not None, "remark": built.remark})
    about = manifest(job, dataset, found.rows, found)
    return Result(
        artifact=artifacts.put({**found.files, "manifest.json": about}),
        algorithm=found.recipe.algorithm,
        dataset=dataset,
        trials=found.trials,
        evaluation=evaluation,
        baseline=artifacts.put({"baseline.json": built.document}) if built.document else None,
        remark=built.remark,
        seconds=round(time.monotonic() - started, 3),
    )


def _events(job: Job) -> Rows:
    spoilt = [(span.start, span.end) for span in job.excluded]
    return read(job.uri, job.version, job.declaration, until=job.until, excluded=spoilt)


def _found(job: Job, rows: Rows, threads: int, report: Report) -> tuple[Found, Rows]:
    """Search for the best model; beside it the rows that no model has seen."""
    since = None if job.since is None else microseconds(job.since)
    parts = split(rows.times, rows.label_times, job.declaration.spec.gates.slice_rows, since)
    fit, selection, learnable = map(rows.take, (parts.fit, parts.selection, parts.learnable))
    found = search(fit, selection, learnable, threads=threads, report=report, since=since)
    return found, rows.take(parts.test)


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
