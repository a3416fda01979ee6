"""Records with faults: no decoder accepts one that the contract refuses."""

import random

import numpy as np

from tests.unit.shared.events.material import check, event, oracle, reader, said, spelled

ROUNDS, BATCH = 50, 2000
TOKENS = (
    b"0 -0 -0.0 1 01 1. .5 +1 1e5 1E+2 1e400 -1e-400 5e-324 1.0 149 1440 70.5 70.50000000000001"
    b" 9007199254740992 9007199254740993 -9007199254740993 18446744073709551616 0.1e1 1e 1e+ 1e0000"
    b" 12345678901234567890123 0.000000000000000000012345678901234567890 true false null True NaN"
    b' Infinity -Infinity "" "UA" "EWR" "LGA" "1" {} [] "\\u0041" "2013-02-29T00:00:00Z" '
    b'"2012-02-29T00:00:00Z" "0999-12-31T23:59:59Z" "2013-06-13T14:45:60Z" "2013-06-13T24:00:00Z"'
    b' "2013-06-13T14:45:00.1234567Z" "2013-06-13t14:45:00z" "2013-06-13T14:45Z" "1700000000"'
    b' "2013-06-13T14:45:00,5+23:59" "2013-06-13T14:45:00-00:00" "2013-06-13T14:45:00.5+24:00"'
).split()
BYTES = b'0123456789.eE+-"\\,:{}[] \n\ttfnuTZ/\0\x1f\x7f\x80\xc3\xff'


def mutated(chance: random.Random, value: bytes) -> bytes:
    kind, at = chance.randrange(9), chance.randrange(len(value))
    if kind == 0:
        return value[:at] + bytes([chance.choice(BYTES)]) + value[at + 1 :]
    if kind == 1:
        return value[:at] + bytes([chance.choice(BYTES)]) + value[at:]
    if kind == 2:
        return value[:at] + value[at + chance.randrange(1, 4) :]
    if kind == 3:
        return value[:at]
    if kind == 4:
        end = at + chance.randrange(40)
        return value[:end] + value[at:]
    if kind == 5:
        return value[:at] + bytes([chance.randrange(256)]) + value[at + 1 :]
    return replaced(chance, value)


def replaced(chance: random.Random, value: bytes) -> bytes:
    """Put another token in the place of a value."""
    starts = [at + 1 for at, byte in enumerate(value) if byte == ord(":")]
    start = chance.choice(starts)
    end = min(at for at in (value.find(stop, start) for stop in b",}") if at > 0)
    return value[:start] + chance.choice(TOKENS) + value[end:]


def test_no_fault_is_accepted_by_any_decoder():
    chance = random.Random(20)
    mixed, freeform, general, alone = reader(), reader(), reader(kernels=False), reader()
    freeform.read([])
    freeform.decoder._prefer = lambda template: None
    for _ in range(6):
        learnt = [spelled(event(chance), compact) for compact in (True, False) for _ in range(100)]
        for each in (mixed, freeform, general, alone):
            each.read(learnt)
    alone._general.fill = lambda *_: None  # what it accepts, compiled code does
    sound = compiled = 0
    for _ in range(ROUNDS):
        values = [
            mutated(chance, spelled(event(chance), compact=chance.random() < 0.5))
            for _ in range(BATCH)
        ]
        judged = check(values, mixed, freeform, general)[0].accepted
        events = alone.read(values)
        assert not (events.accepted & ~judged).any()
        taken = [values[row] for row in np.flatnonzero(events.accepted)]
        assert [repr(row) for row in said(events) if row] == [repr(oracle(v)) for v in taken]
        sound += int(judged.sum())
        compiled += len(taken)
    assert sound > 10_000
    assert compiled > 0.6 * sound
