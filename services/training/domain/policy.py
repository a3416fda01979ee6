"""Whether to train: one rule for every trigger, and the reason in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.training.domain.episodes import passed
from services.training.domain.situation import Rules, Situation, Trigger


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a run starts, and why; `obstacle` names what is in its way."""

    started: bool
    reason: str
    obstacle: str | None = None


def verdict(trigger: Trigger, situation: Situation, rules: Rules) -> Verdict:
    """Decide on a trigger: started, or suppressed by the first obstacle there is.

    Obstacles, in this order: the drift only informs, or was measured on a version that no longer
    decides; a run is in progress, or has answered the drift; the drift has passed; an open
    data-quality alert, unless somebody asks for the run; too few matured labels, in all or since
    the change; too few that are new; the cool-down, counted in event time from the start of the
    last run, whatever came of it.
    """
    found = next(_obstacles(trigger, situation, rules), None)
    if found:
        obstacle, words = found
        return Verdict(False, f"suppressed: {words}"[:2000], obstacle)
    return Verdict(True, f"started: {_cause(trigger, situation, rules)}"[:2000])


def due(situation: Situation, rules: Rules) -> Iterator[Trigger]:
    """List what asks for a run by itself, the most urgent first.

    They ask again and again, so nothing is due while a run goes on or cools down.

    drift: harmful drift that no run has answered. age: the champion's last row is older than
    `max_age`. volume: `volume` new labels have come since the last run; where none is declared,
    the labels have doubled since the champion's run; or the champion is the prior and there are
    labels enough for a first model.
    """
    last = situation.last
    if last and (not last.ended or situation.now - last.at < rules.cooldown):
        return
    if situation.drift:
        yield Trigger("drift", situation.drift)
    if situation.trained_at is None:
        if situation.labels >= rules.min_labels:
            yield Trigger("volume")
        return
    if situation.now - situation.trained_at > rules.max_age:
        yield Trigger("age")
    if _enough(situation, rules):
        yield Trigger("volume")


def asked_for(situation: Situation, rules: Rules) -> tuple[Trigger, Verdict] | None:
    """Answer what is due: the first trigger that starts a run, else the first that is refused.

    A refusal of drift was told when it was heard, and is not repeated.
    """
    answers = [(trigger, verdict(trigger, situation, rules)) for trigger in due(situation, rules)]
    started = (pair for pair in answers if pair[1].started)
    refused = (pair for pair in answers if not pair[0].drift)
    return next(started, None) or next(refused, None)


def change_point(situation: Situation, rules: Rules) -> datetime | None:
    """Tell after which time a run should also learn alone; None without labels enough."""
    drift = situation.drift
    if drift is None or passed(drift, situation.now, rules.cooldown) or _young(situation, rules):
        return None
    return drift.since


def _young(situation: Situation, rules: Rules) -> bool:
    """Tell whether too little is known of what came after the change."""
    drift = situation.drift
    lasted = timedelta(0) if drift is None else situation.now - drift.since
    return situation.changed < rules.min_labels or lasted < rules.lasting


def _enough(situation: Situation, rules: Rules) -> bool:
    if rules.volume is not None:
        return situation.new_labels >= rules.volume
    return situation.learned is not None and situation.labels >= 2 * situation.learned


def _obstacles(trigger: Trigger, situation: Situation, rules: Rules) -> Iterator[tuple[str, str]]:
    drift, last, by_itself = trigger.drift, situation.last, trigger.kind != "request"
    if drift and not drift.harmful:
        yield "inform", f"inform only, {drift.detector} drift: {drift.summary}"
    if drift and drift.version != situation.champion:
        words = f"drift was measured on version {drift.version} which is no longer the champion"
        yield "version", words
    if last and not last.ended:
        yield "run", "a run is in progress"
    if drift and situation.drift is None:
        yield "answered", "a run has answered this drift already"
    elif drift and situation.drift and passed(situation.drift, situation.now, rules.cooldown):
        yield "passed", f"the drift has not been seen since {_moment(situation.drift.until)}"
    if by_itself and situation.alerts:
        alert, words = situation.alerts[0]
        more = f"; and {len(situation.alerts) - 1} more" if situation.alerts[1:] else ""
        yield f"alert {alert}", f"data quality, {words}{more}"
    if situation.labels < rules.min_labels:
        yield "labels", f"{situation.labels:,} matured labels, {rules.min_labels:,} needed"
    if by_itself:
        yield from _lacking(trigger, situation, rules)
    if last and situation.now - last.at < rules.cooldown:
        ago, cooldown = _words(situation.now - last.at), _words(rules.cooldown)
        yield "cooldown", f"cooldown, last run {ago} ago, cool-down {cooldown}"


def _lacking(trigger: Trigger, situation: Situation, rules: Rules) -> Iterator[tuple[str, str]]:
    """Find that a candidate could show no more than the gate has seen already.

    The labels that speak about the question are those that the champion's run did not have; for
    drift those since the change. There must be `min_labels` of them, and after a run that asked the
    same and whose candidate was not taken, half of them must be new: each attempt has twice the
    evidence of the one before. A declared volume is counted as it is declared.
    """
    if trigger.kind == "volume" and rules.volume and situation.new_labels >= rules.volume:
        return
    speaking, about = situation.unseen, f"since the run of {situation.champion}"
    needed, young = f"{rules.min_labels:,} needed", speaking < rules.min_labels
    if trigger.drift and situation.drift:
        speaking, since = situation.changed, situation.drift.since
        about = f"in {_words(situation.now - since)} since the change of {_moment(since)}"
        needed = f"{rules.min_labels:,} in {_words(rules.lasting)} needed"
        young = _young(situation, rules)
    if young:
        yield "young", f"{speaking:,} matured labels {about}, {needed}"
    then = speaking - _untried(trigger, situation, rules)
    if 2 * then > speaking:
        yield (
            "again",
            f"the last candidate was not taken; {speaking:,} matured labels {about}, "
            f"twice the {then:,} of then needed",
        )


def _untried(trigger: Trigger, situation: Situation, rules: Rules) -> int:
    """Count labels that were in no run that has asked the same question in vain.

    Age is asked about again after another `max_age`, whatever came since: it is the backstop.
    """
    last = situation.last
    if last is None or not last.brought:
        return situation.labels
    if trigger.kind == "age" and situation.now - last.at > rules.max_age:
        return situation.labels
    if trigger.drift or situation.tried is None:
        return situation.new_labels
    return max(0, situation.labels - situation.tried)


def _cause(trigger: Trigger, situation: Situation, rules: Rules) -> str:
    labels = f"{situation.labels:,} matured labels"
    if trigger.kind == "age" and situation.trained_at:
        age = _words(situation.now - situation.trained_at)
        return f"the champion is {age} old, at most {_words(rules.max_age)} allowed; {labels}"
    if trigger.kind == "volume":
        if situation.trained_at is None:
            return f"first model, {labels}"
        if rules.volume is not None:
            return f"{situation.new_labels:,} new labels since the last run; {labels}"
        return f"{labels}, twice the {situation.learned:,} of the champion's run"
    if trigger.drift and situation.drift:
        return (
            f"{trigger.drift.detector} drift of version {situation.champion} since "
            f"{_moment(situation.drift.since)}; {situation.changed:,} matured labels since then, "
            f"{situation.labels:,} in all"
        )
    although = "".join(f", although data quality, {words}" for _, words in situation.alerts[:3])
    return f"requested; {labels}{although}"


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time.hour or time.minute else f"{time:%Y-%m-%d}"


def _words(span: timedelta) -> str:
    """Write a span in its largest whole unit, such as 3d or 5h."""
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
