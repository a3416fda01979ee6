"""What is said about drift, and how long a ledger remembers alerts."""

import msgspec
import pytest

from services.monitor.domain.acting import ADVICE, DRIFTS, advice
from services.monitor.domain.ledger import Ledger
from shared.drift.standing import DOUBTS, FAULTS, Alert, Open
from shared.drift.watch import READINGS


@pytest.mark.parametrize("detector", ADVICE)
def test_each_detector_has_its_own_advice(detector):
    assert advice(detector, []) == ADVICE[detector]
    assert advice(detector, []).startswith("retrain") == (detector in DOUBTS)


def test_what_is_broken_is_to_be_mended_first():
    said = advice("loss", ["labels", "wind"])
    assert "do not retrain" in said
    assert "mend labels, wind first" in said


def test_every_detector_either_tells_drift_or_a_fault_of_the_data():
    assert {*DRIFTS, *FAULTS} == set(READINGS)
    assert not {*DRIFTS} & {*FAULTS}


def test_a_ledger_keeps_the_alerts_that_count():
    ledger = Ledger(spans=[Alert("quality", at, at + 1, ["temp"]) for at in range(100)])
    ledger.spans.insert(0, Alert("labels", 0, None, ["labels"]))
    ledger.remember("cause", [], 16)
    assert [alert.since for alert in ledger.spans] == [0, *range(84, 100)]


def test_what_is_noted_of_alarms_is_noted_in_the_ledger():
    ledger = Ledger()
    ledger.standing.open["quality"] = Open(["id"], ["temp"])
    ledger.standing.alerts.append(Alert("quality", 10, None, ["temp"]))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(ledger), type=Ledger)
    assert again.standing == ledger.standing
    assert again.standing.open["quality"].ids == ["id"]
