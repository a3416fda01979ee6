"""A backtest tells of the same verdicts what monitor tells."""

from dataclasses import dataclass

import msgspec
import numpy as np
import pytest

from contracts.alerts import AlertRaised, AlertResolved
from contracts.base import Window
from contracts.performance import DriftDetected
from services.monitor.domain.heads import Counts, HeadCounts
from services.monitor.domain.ledger import Ledger
from services.monitor.domain.merging import Whole
from services.monitor.domain.sums import Sums, VersionSums
from services.monitor.domain.tallies import WindowSums
from services.monitor.handlers.judging import Judging
from services.monitor.handlers.payloads import microseconds, microseconds_of, moment
from services.monitor.handlers.watching import Watched
from services.training.run.backtest.watching import Champion
from shared.drift.standing import Standing
from shared.drift.verdicts import State, Verdict
from shared.drift.watch import Watch
from shared.drift.windows import Inputs, Outcomes
from tests.doubles import telemetry
from tests.service.monitor.baselines import DAY_US, DIGEST, START_US, baseline
from tests.service.monitor.world import declaration

DAYS, CHAMPIONS = 400, ("0.1.0", "0.2.0", "0.3.0")
COOLDOWN = "6d"
SUSPECTS = {
    "quality": ("null:plan", "range:plan", "unseen:carrier", "late"),
    "labels": ("labels",),
}
MOVED = ("feature:carrier", "feature:plan", "score", "slice:carrier=UA", "slice:carrier=VX")


@dataclass
class Scripted:
    """A detector that says what it is told to, window by window."""

    name: str
    reads: str
    verdicts: dict[int, Verdict]
    level: float = 800.0

    def fresh(self):
        return State(b"", b"")

    def observe(self, state, window):
        return state, self.verdicts.get(window.start)


def scripted(name, reads, rng):
    """Draw a year of verdicts: long and short troubles, small windows that wait, calm between."""
    verdicts, troubled = {}, False
    for day in range(DAYS):
        troubled = rng.random() < (0.8 if troubled else 0.12)
        start = START_US + day * DAY_US
        if rng.random() < 0.1:
            continue
        alarm = bool(troubled and rng.random() < 0.7)
        suspects = SUSPECTS.get(name, MOVED)
        listed = rng.choice(suspects, int(rng.integers(1, len(suspects) + 1)), replace=False)
        verdicts[start] = Verdict(
            detector=name,
            evidence=900.0 if alarm else 3.0,
            level=800.0,
            alarm=alarm,
            since=start - int(rng.integers(0, 12)) * DAY_US,
            until=start + DAY_US,
            windows=1,
            contributions=(),
            listed=tuple(listed.tolist()) if alarm else (),
            summary=f"{name} on day {day}",
            normal=not alarm and bool(rng.random() < 0.6),
        )
    return Scripted(name, reads, verdicts)


def watch_of(rng):
    """A watch whose detectors follow a script; monitor alone hears of the intake."""
    watch = Watch(baseline(), 100)
    watch.detectors = {
        name: scripted(name, one.reads, rng)
        for name, one in watch.detectors.items()
        if one.reads != "intake"
    }
    return watch


def champion_of(day):
    return CHAMPIONS[day * len(CHAMPIONS) // DAYS]


def monitored(spec, watch):
    """What monitor tells and keeps; its ledger is written and read again after each window."""
    packed, events = msgspec.msgpack.encode(Ledger()), []
    for day in range(DAYS):
        ledger = msgspec.msgpack.decode(packed, type=Ledger)
        version, start = champion_of(day), START_US + day * DAY_US
        watched = Watched(version, DIGEST, watch)
        judging = Judging(
            spec, ledger, champion=version, watched=watched, telemetry=telemetry("monitor")
        )
        counts = Counts(DIGEST, 1000, 0, np.ones(watch.inputs.width, "<i8").tobytes())
        sums = VersionSums(Sums(n=1000, labelled=900), baseline=DIGEST)
        end = start + DAY_US
        told = judging.begin(Window(start=moment(start - DAY_US), end=moment(start)))
        told += judging.inputs(Whole(start, end, HeadCounts(day, {version: counts})))
        told += judging.outcomes(Whole(start, end, WindowSums(day, {version: sums})))
        ledger.remember(f"{day}", [(type(one).__name__, b"") for one in told], 16)
        packed = msgspec.msgpack.encode(ledger)
        events += told
    return events, ledger.spans


def backtested(spec, watch):
    """What a backtest tells, and the alerts that it has seen."""
    standing, alarms, champion = Standing({}, []), [], None
    cooldown, nothing = microseconds_of(spec.spec.retraining.cooldown), np.zeros(0, np.int64)
    for day in range(DAYS):
        version, start = champion_of(day), START_US + day * DAY_US
        if champion is None or champion.version != version:
            standing.anew(start)
            champion = Champion(version, None, start, watch=watch, cooldown=cooldown)
        inputs = Inputs(start, start + DAY_US, 1000, 0, nothing)
        outcomes = Outcomes(start, start + DAY_US, 1000, 900, nothing, nothing)
        for window in (inputs, outcomes):
            alarms += champion.observed(window, start, standing)
    return alarms, standing.alerts


def kind_of(event):
    return "fault" if isinstance(event, AlertRaised) else event.recommendation


@pytest.mark.parametrize("seed", range(3))
def test_the_same_verdicts_lead_to_the_same_alarms_and_alerts(seed):
    spec = declaration(retraining={"cooldown": COOLDOWN})
    watch = watch_of(np.random.default_rng(seed))
    events, spans = monitored(spec, watch)
    alarms, alerts = backtested(spec, watch)

    told = [event for event in events if isinstance(event, DriftDetected | AlertRaised)]
    assert [
        (event.detector, event.version, kind_of(event), event.blamed, microseconds(event.since))
        for event in told
    ] == [(one.detector, one.version, one.kind, one.blamed, one.since) for one in alarms]
    assert [(event.window.start, event.window.end) for event in told] == [
        tuple(map(moment, one.window)) for one in alarms
    ]
    assert spans == Standing({}, alerts).latest
    # An alert that blames more is raised again; all that was raised is resolved together.
    resolved = [event.alert for event in events if isinstance(event, AlertResolved)]
    raised = {event.event_id: event.detector for event in told if isinstance(event, AlertRaised)}
    assert len(set(resolved)) == len(resolved)
    left = {raised[alert] for alert in raised.keys() - set(resolved)}
    assert left == {alert.detector for alert in alerts if alert.until is None}
    assert {kind_of(event) for event in told} == {"retrain", "inform", "fault"}
    assert len(alerts) - len(left) > 16
