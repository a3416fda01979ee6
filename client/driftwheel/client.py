"""Publish events and labels, read predictions and outcomes, command the registry."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from driftwheel import messages
from driftwheel.endpoints import Endpoints, find
from driftwheel.errors import Invalid, NoAnswer, NotAcknowledged, NotFound, Refused
from driftwheel.facts import ANSWERS, Fact, answer_of, fact
from driftwheel.messages import Answer, Outcome, Prediction, Record
from driftwheel.records import KeyOf, Publishable, chunks, encoded, record_of, traced
from driftwheel.stream import Raw, Start, Stream
from driftwheel.writer import Writer


class Client:
    """An asynchronous client of one deployment; connects when it is first needed.

    >>> async with Client() as client:
    ...     await client.publish("flight-delay", [{"id": "1", "time": "...", "features": {...}}])
    ...     async for prediction in client.predictions("flight-delay"):
    ...         print(prediction.id, prediction.score)

    Args:
        kafka: bootstrap address; without it, see `driftwheel.endpoints.find`.
        prefix: stands before every topic name.
        endpoints: the file that `driftwheel up` writes.
        trace_share: share of the published records that begin a trace.
        deadline_s: seconds to wait for acknowledgements, and for the registry.

    Raises:
        NotFound: no deployment is known.

    """

    def __init__(
        self,
        *,
        kafka: str | None = None,
        prefix: str | None = None,
        endpoints: Endpoints | str | Path | None = None,
        trace_share: float = 0.01,
        deadline_s: float = 30.0,
    ) -> None:
        if isinstance(endpoints, Endpoints):
            self.endpoints = endpoints
        else:
            self.endpoints = find(kafka=kafka, prefix=prefix, file=endpoints)
        self.trace_share, self.deadline_s = trace_share, deadline_s
        self._writer: Writer | None = None

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self.close()

    async def close(self) -> None:
        """Disconnect."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.stop()

    # -- publishing ---------------------------------------------------------------------------

    async def publish(
        self, model: str, events: Iterable[Publishable], *, key: KeyOf | None = None
    ) -> int:
        """Publish events and wait until Kafka has all of them.

        Args:
            model: its name.
            events: each a mapping {"id", "time", "features"}, its JSON, or a `Record`.
            key: gives an event's entity, which becomes the record key; without it, the id.

        Returns:
            How many were acknowledged.

        Raises:
            NotFound: the model is not declared.
            Invalid: an event is not JSON, or larger than Kafka takes.
            NotAcknowledged: publish the same again; ids are recognised.

        """
        return await self.send(self.endpoints.data(model, "events"), events, key=key)

    async def publish_labels(
        self, model: str, labels: Iterable[Publishable], *, key: KeyOf | None = None
    ) -> int:
        """Publish labels {"id", "time", "value"}; as `publish`. A label has its event's key."""
        return await self.send(self.endpoints.data(model, "labels"), labels, key=key)

    async def send(
        self, topic: str, items: Iterable[Publishable], *, key: KeyOf | None = None
    ) -> int:
        """Publish to a topic by its real name; as `publish`."""
        if self._writer is None:
            self._writer = Writer(self.endpoints, self.deadline_s)
        acknowledged = 0
        records = (traced(record_of(item, key), self.trace_share) for item in items)
        for chunk in chunks(records):
            try:
                await self._writer.publish(topic, chunk)
            except NotAcknowledged as error:
                error.acknowledged = acknowledged
                raise
            acknowledged += len(chunk)
        return acknowledged

    # -- reading ------------------------------------------------------------------------------

    def predictions(
        self, model: str, from_beginning: bool = False, follow: bool = True
    ) -> Stream[Prediction]:
        """Read a model's predictions: new ones, or all that are kept; for ever, or to the end."""
        start: Start = "beginning" if from_beginning else "end"
        topic = self.endpoints.data(model, "predictions")
        decode = _decoding(messages.prediction)
        return Stream(self.endpoints, [topic], decode, start=start, follow=follow)

    def outcomes(
        self, model: str, from_beginning: bool = False, follow: bool = True
    ) -> Stream[Outcome]:
        """Read a model's outcomes; as `predictions`."""
        start: Start = "beginning" if from_beginning else "end"
        topic = self.endpoints.data(model, "outcomes")
        decode = _decoding(messages.outcome)
        return Stream(self.endpoints, [topic], decode, start=start, follow=follow)

    def records(
        self, model: str, kind: str, *, start: Start = "beginning", follow: bool = False
    ) -> Stream[Raw]:
        """Read the records of a model's topic as they are."""
        topic = self.endpoints.data(model, kind)
        return Stream(self.endpoints, [topic], lambda raw: raw, start=start, follow=follow)

    def facts(
        self, *subjects: str, start: Start = "beginning", follow: bool = False
    ) -> Stream[Fact | None]:
        """Read the control plane, such as `registry.recorded`; None for what cannot be read."""
        topics = [self.endpoints.control(subject) for subject in subjects]
        return Stream(self.endpoints, topics, fact, start=start, follow=follow, optional=True)

    async def declarations(self) -> dict[str, Mapping[str, Any]]:
        """Return every model's declaration with all defaults in force, by name."""
        events = {item.model: item async for item in self.facts("model.declared") if item}
        return {model: events[model].content["declaration"] for model in sorted(events)}

    async def declaration(self, model: str) -> Mapping[str, Any]:
        """Return one model's declaration with all defaults in force.

        Raises:
            NotFound: the model is not declared; the text names those that are.

        """
        every = await self.declarations()
        if model not in every:
            known = f"declared are: {', '.join(every)}" if every else "none is declared yet"
            raise NotFound(f"No model {model!r} is declared; {known}.")
        return every[model]

    # -- commanding ---------------------------------------------------------------------------

    async def apply(
        self,
        declaration: Mapping[str, Any],
        *,
        expected_revision: int | None = None,
        reason: str = "",
        at: datetime | None = None,
    ) -> Answer:
        """Declare a model, or change its declaration; as `command`.

        When it returns the declaration stands where services and clients read it.

        Raises:
            Invalid: the declaration has no `metadata.name`.

        """
        metadata = declaration.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        if not isinstance(name, str) or not name:
            raise Invalid("metadata.name is required: the model's name")
        order = {"kind": "declare", "declaration": declaration}
        answer = await self.command(
            name, order, expected_revision=expected_revision, reason=reason, at=at
        )
        if answer.kind == "declared":
            await self._told(name, answer.revision or 0)
        return answer

    async def _told(self, model: str, revision: int) -> None:
        """Wait until a declaration of this revision, or a later one, has been told."""
        try:
            async with asyncio.timeout(self.deadline_s):
                async with self.facts("model.declared", follow=True) as told:
                    async for item in told:
                        if item and item.model == model and item.content["revision"] >= revision:
                            return
        except TimeoutError as error:
            raise NoAnswer(
                f"{model} is declared, but the registry has not told so within "
                f"{self.deadline_s:g} s: is it running? driftwheel status"
            ) from error

    async def command(
        self,
        model: str,
        order: Mapping[str, Any],
        *,
        expected_revision: int | None = None,
        reason: str = "",
        at: datetime | None = None,
    ) -> Answer:
        """Command the registry and wait for its answer.

        Args:
            model: its name.
            order: {"kind": "promote", "version", "force"}, {"kind": "roll_back", "version"},
                {"kind": "train"} or {"kind": "declare", "declaration"}.
            expected_revision: refused when the model has moved on.
            reason: kept in the registry's log.
            at: event time; without it, now.

        Raises:
            Refused: with the registry's reason.
            NoAnswer: the registry did not answer in time.

        """
        built = messages.command(
            model,
            order,
            actor=_actor(),
            at=at or datetime.now(UTC),
            expected_revision=expected_revision,
            reason=reason,
        )
        value = encoded(built, "the command")
        topic = self.endpoints.control("registry.commands")
        answers = [self.endpoints.control("registry.recorded"), f"{topic}.dlq"]
        try:
            async with asyncio.timeout(self.deadline_s):
                stream = Stream(self.endpoints, answers, answer_of(built["event_id"]))
                async with stream:
                    await self.send(topic, [Record(value, model.encode())])
                    answer = await _first(stream)
        except (TimeoutError, NotFound) as error:
            raise NoAnswer(
                f"no answer from the registry within {self.deadline_s:g} s: is it running? "
                "driftwheel status"
            ) from error
        if answer.kind not in ANSWERS:
            raise Refused(answer)
        return answer


async def _first(stream: Stream[Answer | None]) -> Answer:
    async for answer in stream:
        if answer is not None:
            return answer
    raise AssertionError("a stream that is followed does not end")


def _decoding(read: Callable[[bytes], Any]) -> Callable[[Raw], Any]:
    def decode(raw: Raw) -> Any:
        try:
            return read(raw.value or b"")
        except (ValueError, KeyError, TypeError) as error:
            place = f"{raw.topic} partition {raw.partition} offset {raw.offset}"
            raise Invalid(f"{place} cannot be read: {error!r}") from error

    return decode


def _actor() -> str:
    try:
        return os.environ.get("DRIFTWHEEL_ACTOR") or getpass.getuser()
    except (KeyError, OSError):  # a container without this user in its passwd file
        return f"uid {os.getuid()}"
