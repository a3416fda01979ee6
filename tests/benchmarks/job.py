"""What a worker process is asked to do; travels as JSON on its command line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one variant.

    Attributes:
        variant: name in `worker.VARIANTS`.
        kafka: bootstrap address.
        redis: URL of a database of its own.
        prefix: of the deployment's topics.
        hears: real name of the topic, or topics, that are read.
        says: real name of the topic that is written.
        state: folder with the artifacts.
        model: file with the text of the LightGBM model, for those who do not know our artifacts.
        warm: events that are not measured.
        events: until the run is over; 0: until it is told to stop.
        profile: file for what cProfile saw; empty: it does not look.

    """

    variant: str
    kafka: str
    redis: str
    prefix: str
    hears: tuple[str, ...]
    says: str
    state: str
    model: str
    warm: int
    events: int
    profile: str = ""
