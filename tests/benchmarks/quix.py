"""Quix Streams' way to predict on a stream; runs in an environment of its own (see `peers`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import lightgbm
import numpy as np
from quixstreams import Application

from tests.benchmarks.job import Job
from tests.benchmarks.meter import Meter


@asynccontextmanager
async def quix_docs(job: Job, meter: Meter) -> AsyncIterator[None]:
    """Do it as the Quix Streams documentation does: a data frame from topic to topic."""
    booster = lightgbm.Booster(model_file=job.model)
    app = Application(
        broker_address=job.kafka,
        consumer_group=job.prefix + job.variant,
        auto_offset_reset="earliest",
        state_dir=job.state,
        loglevel="ERROR",
    )

    def predict(event: dict[str, Any]) -> dict[str, Any]:
        row = np.array([list(event["features"].values())])
        score = float(booster.predict(row, num_threads=1)[0])
        meter.advance(1)
        return {"id": event["id"], "score": score, "features": event["features"]}

    heard = app.topic(job.hears[0], value_deserializer="json")
    app.dataframe(heard).apply(predict).to_topic(app.topic(job.says, value_serializer="json"))
    # It runs in the main thread only, and has an end of its own.
    app.run(count=job.events, collect=False)
    yield
